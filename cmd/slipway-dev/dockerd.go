package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/slipway-dev/slipway/internal/docker"
)

// Where deploy/dev/deps.sh notes the Docker engine that it started itself.
const (
	dockerPID   = "/run/slipway-dockerd.pid"
	dockerStart = "/run/slipway-dockerd.start"
)

// stopDocker stops the Docker engine if `make up` started it and nothing runs in it any more.
func stopDocker(ctx context.Context, out io.Writer) error {
	pid, ours := ownDocker(dockerPID, dockerStart)
	if !ours {
		return nil
	}
	busy, err := docker.Busy(ctx)
	if err != nil {
		return fmt.Errorf("look whether the Docker engine (process %d) can be stopped: %w", pid, err)
	}
	if busy {
		fmt.Fprintln(out, "==> left the Docker engine running, others' containers are in it")
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the Docker engine: %w", err)
	}
	if !eventually(ctx, 30*time.Second, func() bool { _, still := ownDocker(dockerPID, dockerStart); return !still }) {
		return fmt.Errorf("the Docker engine (process %d) was asked to end, and has not within 30s", pid)
	}
	fmt.Fprintln(out, "==> stopped the Docker engine")
	return errors.Join(remove(dockerPID), remove(dockerStart))
}

// ownDocker returns the pid of the engine that deps.sh started, if that very process still runs: startFile tells it from
// one that was given its pid later.
func ownDocker(pidFile, startFile string) (pid int, ours bool) {
	noted := func(path string) uint64 {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0
		}
		n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63) // 0 is nobody's
		return n
	}
	pid = int(noted(pidFile))
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0, false
	}
	stat, err := process.Stat()
	if err != nil || stat.State == "Z" || stat.Starttime != noted(startFile) {
		return 0, false
	}
	return pid, true
}
