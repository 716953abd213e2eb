package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// When an upload counts as abandoned, and how often the registry is tidied.
const (
	uploadMaxAge = 24 * time.Hour
	tidyInterval = 15 * time.Minute
)

// tidy tidies now and again and again until ctx ends. The library's own purge speaks to a global logger and cannot be stopped;
// its own sweep wants that nobody pushes meanwhile.
func (s *Server) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyInterval)
	defer tick.Stop()
	for {
		if err := s.Tidy(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("registry: tidy", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Tidy removes what broken pushes left behind and what no tag leads to.
func (s *Server) Tidy(ctx context.Context) error {
	err := purgeUploadsBefore(s.dir, time.Now().Add(-uploadMaxAge))
	if err != nil {
		err = fmt.Errorf("purge abandoned uploads: %w", err)
	}
	swept, sweepErr := s.Sweep(ctx)
	if swept.Blobs > 0 {
		s.logger.Info("registry: freed what no tag leads to", "manifests", swept.Manifests, "blobs", swept.Blobs, "bytes", swept.Bytes)
	}
	if sweepErr != nil {
		err = errors.Join(err, fmt.Errorf("sweep: %w", sweepErr))
	}
	return err
}

// purgeUploadsBefore removes every upload under dir that was last written to before the given time.
func purgeUploadsBefore(dir string, before time.Time) error {
	return filepath.WalkDir(filepath.Join(dir, "docker", "registry", "v2", "repositories"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err): // nothing was ever pushed, or a push just ended
			return nil
		case err != nil:
			return err
		case filepath.Base(filepath.Dir(path)) != "_uploads":
			return nil
		}
		newest, err := os.Stat(filepath.Join(path, "data"))
		if os.IsNotExist(err) {
			newest, err = os.Stat(path)
		}
		if err != nil || newest.ModTime().After(before) {
			return fs.SkipDir
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return fs.SkipDir
	})
}
