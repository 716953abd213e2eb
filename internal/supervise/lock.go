package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

const (
	pidFile  = "slipway-dev.pid"
	lockFile = "slipway-dev.lock"
)

// DirLock is the right to use a data directory. The kernel takes it back when the process dies.
type DirLock struct {
	dir  string
	lock *flock.Flock
}

// Lock takes dataDir for this process, makes it if need be, and writes slipway-dev.pid. The error names the process that
// has it.
func Lock(dataDir string) (*DirLock, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dataDir, lockFile))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w", dataDir, err)
	}
	if !ok {
		return nil, fmt.Errorf("data directory %s is in use by %s: stop it, or set SLIPWAY_DATA_DIR to another", dataDir, holder(dataDir))
	}
	l := &DirLock{dir: dataDir, lock: lock}
	if err := writeFile(l.pidPath(), []byte(strconv.Itoa(os.Getpid())+"\n")); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("write pid file: %w", err)
	}
	return l, nil
}

func (l *DirLock) pidPath() string { return filepath.Join(l.dir, pidFile) }

// Unlock removes the pid file and gives the directory free.
func (l *DirLock) Unlock() error {
	if err := forget(l.pidPath()); err != nil {
		return fmt.Errorf("remove pid file: %w", err)
	}
	return l.lock.Close()
}

// holder says in words who has the lock.
func holder(dataDir string) string {
	b, err := os.ReadFile(filepath.Join(dataDir, pidFile))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return "the slipway-dev process " + pid
	}
	return "another slipway-dev process"
}
