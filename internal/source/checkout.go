package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Bounds of a tree. A tree may name itself many times over, so that a few objects stand for millions of files.
const (
	maxEntries   = 1_000_000
	maxDepth     = 256
	maxLinkBytes = 4096
)

// checkout writes one commit's tree. Nothing of it follows a symbolic link: folders are entered through os.Root, which
// refuses to leave them, and every entry is created anew, so that a name that is there already is an error.
type checkout struct {
	ctx        context.Context // lives as long as one call of checkOut
	pack       *pack
	limit      int64
	bytes      int64
	entries    int
	files      int
	submodules int
}

// checkOut writes the tree of commit into dir and returns what it did.
func (p *pack) checkOut(ctx context.Context, commit, dir string, maxBytes int64) (*checkout, error) {
	encoded, err := p.object(plumbing.NewHash(commit), plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	decoded, err := object.DecodeCommit(nil, encoded)
	if err != nil {
		return nil, treeInvalid("commit %s: %w", commit, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // holds no data
	c := &checkout{ctx: ctx, pack: p, limit: maxBytes}
	return c, c.tree(root, decoded.TreeHash, 0)
}

func (c *checkout) tree(dir *os.Root, hash plumbing.Hash, depth int) error {
	encoded, err := c.pack.object(hash, plumbing.TreeObject)
	if err != nil {
		return err
	}
	tree, err := object.DecodeTree(nil, encoded)
	if err != nil {
		return treeInvalid("tree %s: %w", hash, err)
	}
	for _, entry := range tree.Entries {
		if err := c.entry(dir, entry, depth); err != nil {
			return fmt.Errorf("%q: %w", entry.Name, err)
		}
	}
	return nil
}

func (c *checkout) entry(dir *os.Root, entry object.TreeEntry, depth int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if c.entries++; c.entries > maxEntries {
		return tooLarge("the commit has more than %d files", maxEntries)
	}
	if name := entry.Name; name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || strings.EqualFold(name, ".git") {
		return treeInvalid("the name is not allowed in a repository")
	}
	err := c.write(dir, entry, depth)
	if errors.Is(err, fs.ErrExist) {
		return treeInvalid("the name occurs twice in a folder")
	}
	return err
}

func (c *checkout) write(dir *os.Root, entry object.TreeEntry, depth int) error {
	switch entry.Mode {
	case filemode.Dir:
		return c.folder(dir, entry, depth)
	case filemode.Submodule:
		c.submodules++
		return dir.Mkdir(entry.Name, 0o755)
	case filemode.Symlink:
		return c.link(dir, entry)
	case filemode.Executable:
		return c.file(dir, entry, 0o755)
	default:
		return c.file(dir, entry, 0o644)
	}
}

func (c *checkout) folder(dir *os.Root, entry object.TreeEntry, depth int) error {
	if depth >= maxDepth {
		return tooLarge("folders are nested deeper than %d", maxDepth)
	}
	if err := dir.Mkdir(entry.Name, 0o755); err != nil {
		return err
	}
	sub, err := dir.OpenRoot(entry.Name)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }() // holds no data
	return c.tree(sub, entry.Hash, depth+1)
}

func (c *checkout) file(dir *os.Root, entry object.TreeEntry, mode fs.FileMode) (err error) {
	blob, err := c.blob(entry.Hash)
	if err != nil {
		return err
	}
	defer func() { _ = blob.Close() }() // comes out of memory
	file, err := dir.OpenFile(entry.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c.files++
	if _, err := io.Copy(file, &contextReader{ctx: c.ctx, r: blob}); err != nil {
		return err
	}
	return file.Chmod(mode) // the process's umask has no say in what is built
}

func (c *checkout) link(dir *os.Root, entry object.TreeEntry) error {
	blob, err := c.blob(entry.Hash)
	if err != nil {
		return err
	}
	defer func() { _ = blob.Close() }() // comes out of memory
	target, err := io.ReadAll(io.LimitReader(blob, maxLinkBytes))
	if err != nil {
		return err
	}
	if len(target) == 0 || len(target) == maxLinkBytes || strings.ContainsRune(string(target), 0) {
		return treeInvalid("the target of the symbolic link is not a path")
	}
	c.files++
	return dir.Symlink(string(target), entry.Name)
}

// blob opens a file's content after charging its size to the limit.
func (c *checkout) blob(hash plumbing.Hash) (io.ReadCloser, error) {
	encoded, err := c.pack.object(hash, plumbing.BlobObject)
	if err != nil {
		return nil, err
	}
	if c.bytes += encoded.Size(); c.bytes > c.limit {
		return nil, tooLarge("the commit's files are larger than %d MB", c.limit>>20)
	}
	return encoded.Reader()
}

func treeInvalid(format string, args ...any) *deployment.Failure {
	return deployment.UserFailure("source.tree_invalid", "check the repository with `git fsck --strict`", format, args...)
}
