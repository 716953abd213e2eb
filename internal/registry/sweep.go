package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Swept is what a sweep removed.
type Swept struct {
	Manifests int   // that no tag led to
	Blobs     int   // of manifests, configurations and layers
	Bytes     int64 // of those blobs
}

// Sweep frees what no tag leads to, while the registry is used. It marks what tags lead to and what was mentioned within the
// grace period, with all that it is made of, and removes the rest. A client relies on what it has mentioned for as long as
// its push or pull lasts at most, which the grace period is longer than. One sweep waits for another.
func (s *Server) Sweep(ctx context.Context) (Swept, error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	sw := sweep{mentions: s.mentions, before: time.Now().Add(-s.grace), marked: map[string]bool{}}
	sw.trash = filepath.Join(s.dir, "swept")
	err := os.RemoveAll(sw.trash) // of a sweep that was killed
	if err == nil {
		err = sw.run(ctx)
	}
	s.mentions.forget(sw.before)
	return sw.swept, errors.Join(err, os.RemoveAll(sw.trash))
}

// sweep is one pass.
type sweep struct {
	*mentions
	before time.Time       // what was mentioned later stays
	trash  string          // where blobs go first: a rename is over at once, and the lock with it
	marked map[string]bool // digests that stay
	swept  Swept
}

func (s *sweep) run(ctx context.Context) error {
	if err := os.MkdirAll(s.trash, 0o700); err != nil {
		return err
	}
	repositories, err := s.repositories()
	if err != nil {
		return err
	}
	for _, step := range []func(string) error{s.mark, s.sweepManifests} {
		for _, repository := range repositories {
			if err := errors.Join(ctx.Err(), step(repository)); err != nil {
				return err
			}
		}
	}
	if err := s.sweepBlobs(ctx); err != nil {
		return err
	}
	for _, repository := range repositories {
		if err := errors.Join(ctx.Err(), s.sweepLinks(repository)); err != nil {
			return err
		}
	}
	return nil
}

// repositories lists the folders of all repositories.
func (s *sweep) repositories() (list []string, err error) {
	err = filepath.WalkDir(repositoriesIn(s.dir), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // nothing was ever pushed
			return nil
		case err != nil || !d.IsDir() || !strings.HasPrefix(d.Name(), "_"):
			return err
		}
		if d.Name() == "_layers" || d.Name() == "_manifests" {
			if folder := filepath.Dir(path); len(list) == 0 || list[len(list)-1] != folder {
				list = append(list, folder)
			}
		}
		return fs.SkipDir
	})
	return list, err
}

// mark marks what the tags of a repository lead to, and manifests that were mentioned of late.
func (s *sweep) mark(repository string) error {
	revisions, err := sums(filepath.Join(repository, "_manifests", "revisions", "sha256"))
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var roots []string
	for _, digest := range revisions {
		known[digest] = true
		if s.since(digest, s.before) {
			roots = append(roots, digest)
		}
	}
	tags, err := filepath.Glob(filepath.Join(escaped(repository), "_manifests", "tags", "*", "current", "link"))
	if err != nil {
		return err
	}
	for _, tag := range tags {
		link, err := os.ReadFile(tag)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was deleted just now
			return err
		}
		roots = append(roots, digestIn.FindAllString(string(link), 1)...)
	}
	return s.markAll(roots, known)
}

// markAll marks manifests with everything that they name, other manifests of the repository with what those name.
func (s *sweep) markAll(roots []string, manifests map[string]bool) error {
	for len(roots) > 0 {
		digest := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		s.marked[digest] = true
		if !manifests[digest] {
			continue
		}
		delete(manifests, digest) // read it once
		content, err := os.ReadFile(dataOf(s.dir, digest))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		roots = append(roots, digestIn.FindAllString(string(content), -1)...)
	}
	return nil
}

// sweepManifests removes the manifests of a repository that nothing leads to.
func (s *sweep) sweepManifests(repository string) error {
	folder := filepath.Join(repository, "_manifests", "revisions", "sha256")
	revisions, err := sums(folder)
	if err != nil {
		return err
	}
	for _, digest := range revisions {
		if s.marked[digest] {
			continue
		}
		sum := strings.TrimPrefix(digest, "sha256:")
		removed, err := s.unlessMentioned(digest, func() error { return os.RemoveAll(filepath.Join(folder, sum)) })
		if err != nil {
			return err
		}
		if removed {
			s.swept.Manifests++
		}
	}
	return nil
}

// sweepBlobs removes the blobs that no manifest names.
func (s *sweep) sweepBlobs(ctx context.Context) error {
	prefixes, err := os.ReadDir(blobsIn(s.dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, prefix := range prefixes {
		digests, err := sums(filepath.Join(blobsIn(s.dir), prefix.Name()))
		if err != nil {
			return err
		}
		for _, digest := range digests {
			if err := errors.Join(ctx.Err(), s.sweepBlob(digest)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sweep) sweepBlob(digest string) error {
	if s.marked[digest] {
		return nil
	}
	data := dataOf(s.dir, digest)
	bin := filepath.Join(s.trash, strings.TrimPrefix(digest, "sha256:"))
	var size int64
	removed, err := s.unlessMentioned(digest, func() error {
		info, err := os.Stat(data)
		if err != nil {
			return err
		}
		size = info.Size()
		return os.Rename(filepath.Dir(data), bin)
	})
	if errors.Is(err, fs.ErrNotExist) { // a folder without its file: a push is about to move it there
		return nil
	}
	if err != nil || !removed {
		return err
	}
	s.swept.Blobs++
	s.swept.Bytes += size
	return os.RemoveAll(bin)
}

// sweepLinks removes a repository's notes of layers that are gone.
func (s *sweep) sweepLinks(repository string) error {
	folder := filepath.Join(repository, "_layers", "sha256")
	links, err := sums(folder)
	if err != nil {
		return err
	}
	for _, digest := range links {
		if _, err := os.Stat(dataOf(s.dir, digest)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		sum := strings.TrimPrefix(digest, "sha256:")
		if _, err := s.unlessMentioned(digest, func() error { return os.RemoveAll(filepath.Join(folder, sum)) }); err != nil {
			return err
		}
	}
	return nil
}

// unlessMentioned removes something of a digest that was not mentioned since the grace period began. Nobody can mention it
// in between: who does so later finds it gone, and pushes it.
func (s *sweep) unlessMentioned(digest string, remove func() error) (removed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since(digest, s.before) || s.written[digest].After(s.before) {
		return false, nil
	}
	return true, remove()
}

// sums lists the digests that the folders in a folder are named by.
func sums(folder string) (digests []string, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if digest := "sha256:" + e.Name(); len(digestIn.FindString(digest)) == len(digest) {
			digests = append(digests, digest)
		}
	}
	return digests, err
}

// escaped makes a pattern that matches a path only.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
