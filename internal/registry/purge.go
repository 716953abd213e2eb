package registry

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// When an upload counts as abandoned, and how often that is looked at.
const (
	uploadMaxAge  = 24 * time.Hour
	purgeInterval = 6 * time.Hour
)

// purgeUploads removes what broken pushes left behind, now and every few hours until ctx ends. The library's own purge
// speaks to a global logger and cannot be stopped.
func (s *Server) purgeUploads(ctx context.Context) {
	tick := time.NewTicker(purgeInterval)
	defer tick.Stop()
	for {
		if err := purgeUploadsBefore(s.dir, time.Now().Add(-uploadMaxAge)); err != nil {
			s.logger.Warn("registry: purge abandoned uploads", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// purgeUploadsBefore removes every upload under dir that was last written to before the given time.
func purgeUploadsBefore(dir string, before time.Time) error {
	return filepath.WalkDir(filepath.Join(dir, "docker", "registry", "v2", "repositories"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err): // nothing was ever pushed, or a push just ended
			return nil
		case err != nil:
			return err
		case filepath.Base(filepath.Dir(path)) != "_uploads":
			return nil
		}
		newest, err := os.Stat(filepath.Join(path, "data"))
		if os.IsNotExist(err) {
			newest, err = os.Stat(path)
		}
		if err != nil || newest.ModTime().After(before) {
			return fs.SkipDir
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return fs.SkipDir
	})
}
