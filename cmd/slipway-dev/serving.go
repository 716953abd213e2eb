package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/registry"
)

// startRegistry serves the embedded registry and puts the base images into it.
func (s *system) startRegistry(ctx context.Context, group *errgroup.Group) error {
	server, err := registry.New(registry.Options{Dir: s.paths.registry(), Logger: s.log, Grace: s.Registry.Grace})
	if err != nil {
		return err
	}
	listener, err := roles.Listen(ctx, s.Registry.Addr)
	if err != nil {
		return err
	}
	s.images = server
	group.Go(func() error { return named("registry", server.Serve(ctx, listener)) })
	if s.Registry.ImagesDir == "" {
		return nil
	}
	begun := time.Now()
	names, err := registry.Seed(ctx, registry.Client{Host: s.Registry.Addr, Insecure: true}, s.Registry.ImagesDir)
	if err != nil {
		return err
	}
	s.tell.say("registry runs, with %d base images of its own (%.1fs)", len(names), time.Since(begun).Seconds())
	return nil
}

// startExamples serves the examples as read-only git repositories. Their address, and only that, passes the guard on
// repository URLs by itself.
func (s *system) startExamples(ctx, serving context.Context, group *errgroup.Group) error {
	if s.Examples.Dir == "" {
		return nil
	}
	if _, err := os.Stat(s.Examples.Dir); err != nil {
		return fmt.Errorf("examples: %w: set SLIPWAY_EXAMPLES_DIR to a folder, or to nothing to serve none", err)
	}
	root := s.paths.examples()
	if err := gitserve.Sync(ctx, s.Examples.Dir, root); err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	handler, err := gitserve.Handler(gitserve.Options{Root: root, AllowAnySHA: true})
	if err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	listener, err := roles.Listen(ctx, s.Examples.Addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(serving, func() { server.Close() })
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return named("examples", err)
		}
		return nil
	})
	s.trusted = append(s.trusted, "http://"+s.Examples.Addr)
	return nil
}
