package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/postgres/cluster"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// server is a cluster that runs; its socket and data lie in dir.
type server struct {
	*cluster.Cluster
	dir     string
	command *exec.Cmd
	output  bytes.Buffer // what the server said; read after exited
	exited  <-chan struct{}
}

const dirPrefix = "slipway-pg-"

// startCluster makes a cluster and waits until it answers. Directories of test binaries that were killed are removed
// first; their servers died with them.
func startCluster() (*server, error) {
	removeLeftOvers()
	// A unix socket's path has 107 bytes at most, so not below TMPDIR, which may be long.
	dir, err := os.MkdirTemp("/tmp", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := s.start(); err != nil {
		removeAll(dir)
		return nil, err
	}
	if err := s.waitUntilReady(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) start() (err error) {
	s.Cluster, err = cluster.Find("", filepath.Join(s.dir, "data"), filepath.Join(s.dir, "socket"), "fsync=off",
		"synchronous_commit=off", "full_page_writes=off", "max_connections=300", "shared_buffers=64MB")
	if err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o711); err != nil { // the server's account passes through
		return err
	}
	if err := s.Init(context.Background()); err != nil {
		return err
	}
	s.command = exec.Command(s.Path(), s.Args()...)
	s.command.SysProcAttr = &syscall.SysProcAttr{Credential: s.Account(), Setpgid: true}
	s.command.Dir = "/"
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	s.exited, err = testbed.Start(s.command, syscall.SIGQUIT)
	return err
}

func (s *server) waitUntilReady() error {
	const patience = 30 * time.Second
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.Ready(context.Background())
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres has ended: %s", s.output.String())
		case <-deadline.C:
			return fmt.Errorf("postgres does not answer after %s: %w", patience, err)
		case <-tick.C:
		}
	}
}

// stop ends the server at once (nothing in it is worth a checkpoint) and removes its directory.
func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGQUIT) // it may have ended by itself
	<-s.exited
	removeAll(s.dir)
}

func removeLeftOvers() {
	dirs, _ := filepath.Glob("/tmp/" + dirPrefix + "*") // the pattern is valid
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			removeAll(dir)
		}
	}
}
