package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// runningPID returns the pid of the slipway-dev that has the data directory, 0 when none has. The lock is what counts: a
// pid file may be left over, and its pid may be another's by now. Without a live pid the lock is not touched, so that
// looking never gets in the way of one that is taking it.
func runningPID(dataDir string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dataDir, "slipway-dev.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look who has %s: %w", dataDir, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return 0, nil //nolint:nilerr // nobody's
	}
	taken, err := locked(dataDir)
	if err != nil || !taken {
		return 0, err
	}
	return pid, nil
}

// locked reports whether some process has the data directory.
func locked(dataDir string) (bool, error) {
	lock := flock.New(filepath.Join(dataDir, "slipway-dev.lock"))
	if _, err := os.Stat(lock.Path()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	free, err := lock.TryLock()
	if err != nil {
		return false, fmt.Errorf("look who has %s: %w", dataDir, err)
	}
	return !free, lock.Close()
}

// stopRunning asks the slipway-dev that has the data directory to end and waits until it has.
func stopRunning(ctx context.Context, dataDir string) error {
	pid, err := runningPID(dataDir)
	if err != nil || pid == 0 {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	patience, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if taken, err := locked(dataDir); err != nil || !taken {
			return err
		}
		select {
		case <-tick.C:
		case <-patience.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("interrupted: process %d goes on stopping by itself", pid)
			}
			return fmt.Errorf("process %d was asked to end, and has not after two minutes: see %s, or `kill -9 %d` and try again",
				pid, filepath.Join(dataDir, "log", "slipway-dev.log"), pid)
		}
	}
}

// answers reports whether the API says that it is ready.
func answers(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// eventually asks until the answer is yes; false when patience or ctx has ended before.
func eventually(ctx context.Context, patience time.Duration, ask func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
