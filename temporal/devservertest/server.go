package devservertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

const (
	startTimeout = time.Minute
	startTries   = 3 // another process may take the port between choosing and listening
)

// Server is a Temporal server that a test may kill and start again.
type Server struct {
	Addr string // frontend host:port

	binary  string
	dir     string
	flags   []string
	cmd     *exec.Cmd
	stopped <-chan struct{} // closed when the current process has been waited for
}

// New starts a server of the test's own, which ends with the test. flags are more of slipway-temporal's flags.
func New(tb testing.TB, flags ...string) *Server {
	tb.Helper()
	s, err := start(tb.TempDir(), flags...)
	require.NoError(tb, err)
	tb.Cleanup(s.Kill)
	return s
}

// Kill ends the server with SIGKILL and waits until it is gone. A second call does nothing.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.stopped
}

// Terminate ends the server with SIGTERM and returns how it ended.
func (s *Server) Terminate() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-s.stopped
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("slipway-temporal ended with code %d: %s", code, s.log())
	}
	return nil
}

// Restart starts a killed server again, on the same file and address, and waits until it is ready. flags are added to those
// it had.
func (s *Server) Restart(tb testing.TB, flags ...string) {
	tb.Helper()
	s.flags = append(s.flags, flags...)
	require.NoError(tb, s.launch())
}

// start starts a server whose files lie in dir.
func start(dir string, flags ...string) (*Server, error) {
	binary, err := testbed.Binary("slipway-temporal", "SLIPWAY_TEMPORAL_BIN")
	if err != nil {
		return nil, err
	}
	s := &Server{binary: binary, dir: dir, flags: append([]string{"--retention", "24h"}, flags...)}
	for range startTries {
		addrs, err := testbed.FreePorts(1)
		if err != nil {
			return nil, err
		}
		s.Addr = addrs[0]
		if err = s.launch(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// launch starts the process and waits for its word that it is ready.
func (s *Server) launch() error {
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	flags := append([]string{"--data", filepath.Join(s.dir, "temporal.db"), "--addr", s.Addr}, s.flags...)
	s.cmd = exec.Command(s.binary, flags...)
	s.cmd.Stderr = logFile
	reader, writer := io.Pipe()
	s.cmd.Stdout = writer
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(reader)
		ready <- lines.Scan() && lines.Text() == "ready"
		_, _ = io.Copy(io.Discard, reader) // the server must not block on what nobody reads
	}()
	stopped, err := testbed.Start(s.cmd, syscall.SIGKILL)
	if err != nil {
		return errors.Join(err, writer.Close())
	}
	s.stopped = stopped
	go func() {
		<-stopped          // of this process: a restart has another one
		_ = writer.Close() // cannot fail
	}()
	select {
	case ok := <-ready:
		if ok {
			return nil
		}
	case <-time.After(startTimeout):
	}
	s.Kill()
	return fmt.Errorf("slipway-temporal did not become ready: %s", s.log())
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "temporal.log") }

// log returns what the server wrote, for error messages.
func (s *Server) log() string {
	b, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}
