package gitserve

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// author signs the commits of Sync. The date is fixed, so that the same content is the same commit on every machine.
var author = []string{
	"GIT_AUTHOR_NAME=slipway", "GIT_AUTHOR_EMAIL=slipway@localhost", "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z",
	"GIT_COMMITTER_NAME=slipway", "GIT_COMMITTER_EMAIL=slipway@localhost", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z",
}

// Sync makes a bare repository root/<name>.git of every folder of sourceDir, with the folder's files as they are now at the
// tip of branch main. A folder that has not changed since the last Sync keeps its commit; a changed one gets a further
// commit on top. Files that the folder's .gitignore names stay out. The repository of a folder that is gone stays.
func Sync(ctx context.Context, sourceDir, root string) error {
	entries, err := os.ReadDir(sourceDir)
	if err != nil {
		return fmt.Errorf("list folders to serve: %w", err)
	}
	source, err := filepath.Abs(sourceDir)
	if err != nil {
		return fmt.Errorf("list folders to serve: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return fmt.Errorf("serve %s: %w", sourceDir, err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := syncFolder(ctx, filepath.Join(source, entry.Name()), filepath.Join(root, entry.Name()+".git")); err != nil {
			return fmt.Errorf("sync %s: %w", entry.Name(), err)
		}
	}
	return nil
}

func syncFolder(ctx context.Context, folder, dir string) error {
	repo, err := Init(ctx, dir)
	if err != nil {
		return err
	}
	tree, err := repo.writeTree(ctx, folder)
	if err != nil {
		return err
	}
	const branch = "refs/heads/" + DefaultBranch
	parent, err := repo.Git(ctx, nil, nil, "for-each-ref", "--format=%(objectname)", branch)
	if err != nil {
		return err
	}
	args := []string{"commit-tree", "-m", filepath.Base(folder), tree}
	if parent != "" {
		committed, err := repo.Git(ctx, nil, nil, "rev-parse", parent+"^{tree}")
		if err != nil {
			return err
		}
		if committed == tree {
			return nil
		}
		args = append(args, "-p", parent)
	}
	commit, err := repo.Git(ctx, nil, author, args...)
	if err != nil {
		return err
	}
	if _, err := repo.Git(ctx, nil, nil, "update-ref", branch, commit, parent); err != nil {
		return err
	}
	return nil
}

// writeTree stores the folder's files and returns the tree's id. The index is a private file, so that a Sync that was
// killed leaves no lock behind.
func (r *Repository) writeTree(ctx context.Context, folder string) (string, error) {
	temp, err := os.MkdirTemp("", "slipway-index-")
	if err != nil {
		return "", fmt.Errorf("make index: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(temp, "index")}
	// Bare repositories have no work tree of their own; naming one for this command is allowed.
	if _, err := r.Git(ctx, nil, index, "-c", "core.bare=false", "--work-tree="+folder, "-C", folder, "add", "--all", "."); err != nil {
		return "", err
	}
	return r.Git(ctx, nil, index, "write-tree")
}
