package planner

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	// maxCopied is the largest file whose content is copied: larger than any manifest or lock file. Of larger ones only
	// the name matters to a planner, so they are copied empty.
	maxCopied = 16 << 20
	// shieldDir keeps nixpacks from planning a sub-directory: it silently does when a root that it does not recognise has
	// exactly one, and the plan would then be for other files than the ones that are built.
	shieldDir = ".slipway-no-subdirectory"
)

// copyPrivate copies the source into dir, which exists and is empty, without what a planner must not see: git's data,
// generated .nixpacks folders, installed packages, and links that lead out of the source. It returns those links.
func copyPrivate(ctx context.Context, src *source, dir string) (dropped []string, err error) {
	if err := os.Mkdir(filepath.Join(dir, shieldDir), 0o700); err != nil {
		return nil, err
	}
	err = fs.WalkDir(src.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case isHidden(entry.Name()) || name == shieldDir || !utf8.ValidString(name):
			return skip(entry) // io/fs cannot walk names that are not UTF-8, and no planner looks for one
		case entry.Type()&fs.ModeSymlink != 0:
			kept, err := copyLink(src, name, dir)
			if !kept {
				dropped = append(dropped, name)
			}
			return err
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o700)
		case entry.Type().IsRegular():
			return copyFile(src, name, dir)
		}
		return nil
	})
	return dropped, err
}

// isHidden reports whether a planner must not see what is called so, wherever it lies.
func isHidden(name string) bool {
	return name == ".git" || name == ".nixpacks" || name == "node_modules"
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// copyLink makes the same link in the copy when it leads to something inside the source; os.Root refuses all others.
func copyLink(src *source, name, dir string) (kept bool, err error) {
	if _, err := src.Stat(name); err != nil {
		return errors.Is(err, fs.ErrNotExist), nil // a link to nothing is of no use to a planner and of no harm
	}
	target, err := src.Readlink(name)
	if err != nil {
		return false, err
	}
	return true, os.Symlink(target, filepath.Join(dir, name))
}

func copyFile(src *source, name, dir string) (err error) {
	in, err := src.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	info, err := in.Stat()
	if err != nil || info.Size() > maxCopied {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

func linkWarnings(dropped []string) []deployment.Warning {
	var warnings []deployment.Warning
	for _, name := range dropped[:min(len(dropped), 10)] {
		warnings = append(warnings, deployment.NewWarning("source.link_outside", name, 0,
			"%s is a link that leads out of the root directory, so the build does not see what it points to", name))
	}
	return warnings
}
