// Package scratch gives a process a folder for its temporary files that is not left behind when the process is killed: what a
// system's temporary directory does with a repository's source until somebody looks.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

const lockName = ".lock"

// Dir is a folder that belongs to one process. The kernel takes the lock in it back when that process dies. The zero value is the
// system's own folder: its Path is empty.
type Dir struct {
	Path string
	lock *flock.Flock
}

// Open makes a folder below root for this process, and removes those whose processes are dead, as far as it can. Several processes may share a
// root, as the old worker and the new one do during an upgrade.
func Open(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for temporary files: %w", err)
	}
	// One at a time, or another could take the folder that is made here for a dead one's before it is locked.
	door := flock.New(filepath.Join(root, lockName))
	if err := door.Lock(); err != nil {
		return nil, fmt.Errorf("lock folder for temporary files %s: %w", root, err)
	}
	defer door.Close()
	removeDead(root)
	path, err := os.MkdirTemp(root, "process-")
	if err != nil {
		return nil, fmt.Errorf("make folder for temporary files: %w", err)
	}
	lock, _, err := take(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock folder for temporary files %s: %w", path, err), os.RemoveAll(path))
	}
	return &Dir{Path: path, lock: lock}, nil
}

// Close removes the folder with all that is in it.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	return errors.Join(os.RemoveAll(d.Path), d.lock.Close())
}

// removeDead removes what it can: one folder that stays is no reason not to work.
func removeDead(root string) {
	folders, _ := filepath.Glob(filepath.Join(root, "process-*")) // the pattern is good
	for _, folder := range folders {
		if lock, dead, err := take(folder); err == nil && dead {
			os.RemoveAll(folder)
			lock.Close()
		}
	}
}

// take takes a folder's lock unless a process has it.
func take(folder string) (lock *flock.Flock, ok bool, err error) {
	lock = flock.New(filepath.Join(folder, lockName))
	ok, err = lock.TryLock()
	return lock, ok, err
}
