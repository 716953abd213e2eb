package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Mirrors keep on this host what projects have fetched, so that a later fetch moves only what is new. A mirror belongs to one
// project and one repository and is never another's: what one project may read says nothing about the next. What is in it is
// handed out only after the repository's server has been asked for the commit, with the credential of that very fetch.
//
// Packs are files that never change; what counts is what the list beside them names, which is replaced as a whole. So a
// process that is killed leaves the mirror that was there before, and readers, who hold the files open, need no lock. One
// lock guards the lists of all mirrors, and nobody who has it waits for a network.
type Mirrors struct {
	dir      string
	maxBytes int64
}

const (
	lockFile = "lock"
	listFile = "list.json"

	// leftAfter is how long nothing may have been written to a pack that is being received before it counts as left by a process
	// that was killed. A Fetch ends sooner.
	leftAfter = time.Hour
)

// NewMirrors returns the mirrors below dir, which this installation has for itself. Beyond maxBytes the least recently used go.
func NewMirrors(dir string, maxBytes int64) *Mirrors { return &Mirrors{dir: dir, maxBytes: maxBytes} }

// Projects lists the ids of the projects that have a mirror on this host.
func (m *Mirrors) Projects() ([]string, error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list git mirrors: %w", err)
	}
	var projects []string
	for _, entry := range entries {
		if entry.IsDir() {
			projects = append(projects, entry.Name())
		}
	}
	return projects, nil
}

// Remove removes the mirrors of a project; that there are none is no error.
func (m *Mirrors) Remove(project string) error {
	if _, err := os.Stat(m.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := m.locked(func() error { return os.RemoveAll(m.of(project)) })
	if err != nil {
		return fmt.Errorf("remove git mirrors of project %s: %w", project, err)
	}
	return nil
}

// RemoveAll removes all mirrors: the disk is full.
func (m *Mirrors) RemoveAll() error {
	projects, err := m.Projects()
	errs := []error{err}
	for _, project := range projects {
		errs = append(errs, m.Remove(project))
	}
	return errors.Join(errs...)
}

func (m *Mirrors) of(project string) string { return filepath.Join(m.dir, filepath.Base(project)) }

// folder is where the mirror of a project's repository is.
func (m *Mirrors) folder(project string, u *url.URL) string {
	sum := sha256.Sum256([]byte(u.String()))
	return filepath.Join(m.of(project), hex.EncodeToString(sum[:8]))
}

// locked runs what reads or writes lists, in one process at a time.
func (m *Mirrors) locked(do func() error) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(m.dir, lockFile))
	if err := lock.Lock(); err != nil {
		return err
	}
	return errors.Join(do(), lock.Close())
}

// used is a mirror as its disk space is looked at.
type used struct {
	dir   string
	bytes int64
	last  time.Time
}

// tidy removes what killed processes left, and the least recently used mirrors until the others are within the bound. The lock is
// held.
func (m *Mirrors) tidy() error {
	left, err := filepath.Glob(filepath.Join(m.dir, incoming+"*"))
	errs := []error{err}
	for _, file := range left {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > leftAfter {
			errs = append(errs, os.Remove(file))
		}
	}
	dirs, err := filepath.Glob(filepath.Join(m.dir, "*", "*"))
	errs = append(errs, err)
	var mirrors []used
	var sum int64
	for _, dir := range dirs {
		u := measureMirror(dir)
		mirrors = append(mirrors, u)
		sum += u.bytes
	}
	slices.SortFunc(mirrors, func(a, b used) int { return a.last.Compare(b.last) })
	for _, u := range mirrors {
		if sum <= m.maxBytes {
			break
		}
		errs = append(errs, removeMirror(u.dir))
		_ = os.Remove(filepath.Dir(u.dir)) // of the project, when that was its last
		sum -= u.bytes
	}
	return errors.Join(errs...)
}

func measureMirror(dir string) used {
	u := used{dir: dir}
	entries, _ := os.ReadDir(dir) // what cannot be read is the first to go
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue
		}
		u.bytes += info.Size()
		if entry.Name() == listFile {
			u.last = info.ModTime()
		}
	}
	return u
}

// removeMirror removes a mirror, its list first: what a killed removal leaves is none.
func removeMirror(dir string) error {
	if err := os.Remove(filepath.Join(dir, listFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dir)
}

// removeUnlisted removes the packs that a list does not name.
func removeUnlisted(dir string, listed []packName) error {
	entries, err := os.ReadDir(dir)
	errs := []error{err}
	for _, entry := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), packSuffix), indexSuffix)
		if entry.Name() != listFile && !slices.ContainsFunc(listed, func(p packName) bool { return p.Name == name }) {
			errs = append(errs, os.Remove(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
