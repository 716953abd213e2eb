// Package privatefile writes files that only their owner may read: keys, tokens, backups. A file appears whole or not at all,
// whoever is killed meanwhile. It belongs to the owner of what it replaces, else to the folder's, so that root may look after
// what a service reads.
package privatefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Draft is a file that is still being written, beside the place where it will appear.
type Draft struct {
	*os.File
	path string
}

// New begins a file at path.
func New(path string) (*Draft, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	d := &Draft{File: file, path: path}
	if err := Adopt(file.Name(), path); err != nil {
		d.Discard()
		return nil, err
	}
	return d, nil
}

// Create lets the file appear, unless there is one already: that is fs.ErrExist.
func (d *Draft) Create() error {
	defer d.Discard()
	if err := d.Sync(); err != nil {
		return err
	}
	// A link appears whole or not at all and, unlike a rename, never replaces what another process has linked.
	if err := os.Link(d.Name(), d.path); err != nil {
		return err
	}
	return syncDir(d.path)
}

// Replace lets the file appear in the place of whatever is there.
func (d *Draft) Replace() error {
	defer d.Discard()
	if err := d.Sync(); err != nil {
		return err
	}
	if err := os.Rename(d.Name(), d.path); err != nil {
		return err
	}
	return syncDir(d.path)
}

// Discard removes what was written so far. It may be called at any time: what has appeared stays.
func (d *Draft) Discard() {
	d.Close()
	os.Remove(d.Name())
}

// Create makes the file at path with data, unless there is one already: that is fs.ErrExist.
func Create(path string, data []byte) error {
	d, err := written(path, data)
	if err != nil {
		return err
	}
	return d.Create()
}

// Replace makes data the content of the file at path.
func Replace(path string, data []byte) error {
	d, err := written(path, data)
	if err != nil {
		return err
	}
	return d.Replace()
}

func written(path string, data []byte) (*Draft, error) {
	d, err := New(path)
	if err != nil {
		return nil, err
	}
	if _, err := d.Write(data); err != nil {
		d.Discard()
		return nil, err
	}
	return d, nil
}

// Read returns the content of a file that nobody but its owner may read; any other is refused.
func Read(path string) ([]byte, fs.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, nil, fmt.Errorf("mode %04o lets others read it; chmod it to 0600", mode)
	}
	data := make([]byte, info.Size())
	_, err = file.ReadAt(data, 0)
	return data, info, err
}

// Adopt makes the file called name the property of whoever owns the one at like, else of the owner of like's folder. Without
// the right to give away, only what is one's own already can be meant.
func Adopt(name, like string) error {
	owner, err := os.Stat(like)
	if errors.Is(err, fs.ErrNotExist) {
		owner, err = os.Stat(filepath.Dir(like))
	}
	if err != nil {
		return err
	}
	stat, ok := owner.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(name, int(stat.Uid), int(stat.Gid))
}

func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
