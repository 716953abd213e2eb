package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-dev/slipway/internal/checkout"
)

// asCloned returns a folder with what a deploy of the given one would find: of a git checkout a copy without what git
// ignores, else the folder itself. remove takes the copy away.
func asCloned(ctx context.Context, folder string) (source string, remove func(), err error) {
	if err := requireFolder(folder); err != nil {
		return "", nil, err
	}
	tree, err := checkout.Open(ctx, folder)
	if errors.Is(err, checkout.ErrNone) {
		return folder, func() {}, nil
	}
	if err != nil {
		return "", nil, err
	}
	files, err := tree.Files(ctx)
	if err != nil {
		return "", nil, err
	}
	copied, err := os.MkdirTemp("", "slipway-plan-*")
	if err != nil {
		return "", nil, fmt.Errorf("copy %s: %w", folder, err)
	}
	remove = func() { os.RemoveAll(copied) }
	for _, name := range files {
		if err := copyEntry(filepath.Join(folder, name), filepath.Join(copied, name)); err != nil {
			remove()
			return "", nil, fmt.Errorf("copy %s: %w", folder, err)
		}
	}
	return copied, remove, nil
}

// copyEntry copies a file, a link as a link, or the folder of a submodule; what is gone from disk is left out.
func copyEntry(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return os.CopyFS(to, os.DirFS(from))
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return nil // git tracks no pipes and devices
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, content, info.Mode().Perm()|0o600); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime()) // by which a builder tells what it has already
}
