package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// caller is who called sudo, for whom `up` runs as root.
type caller struct{ uid, gid int }

// sudoCaller returns who called sudo; there is none when root did, or nobody.
func sudoCaller(getenv func(string) string) (c caller, any bool) {
	uid, err := strconv.Atoi(getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(getenv("SUDO_GID"))
	return caller{uid, gid}, errors.Join(err, err2) == nil && uid > 0
}

// handOver lets the caller read what `up` names in its last lines: the admin token becomes theirs, the logs readable for
// their group. The folders stay root's, who writes to them.
func (p paths) handOver(c caller) error {
	logs := filepath.Dir(p.log(""))
	files, err := filepath.Glob(filepath.Join(logs, "*"))
	if err != nil {
		return err
	}
	for _, dir := range []string{p.DataDir, logs} {
		err = errors.Join(err, share(dir, c.gid, 0o750))
	}
	for _, file := range files {
		err = errors.Join(err, share(file, c.gid, 0o640))
	}
	if err = errors.Join(err, os.Lchown(p.token(), c.uid, c.gid)); err != nil {
		return fmt.Errorf("give the admin token and the logs to user %d: %w", c.uid, err)
	}
	return nil
}

// share gives a group its part of a file; one that was just removed is no error.
func share(path string, gid int, mode fs.FileMode) error {
	err := os.Lchown(path, -1, gid)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
