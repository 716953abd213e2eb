package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
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
	maxNoticed   = 64 << 10 // of a file that may tell of Git LFS
)

// checkout writes one commit's tree. Nothing of it follows a symbolic link: folders are entered through os.Root, which
// refuses to leave them, and every entry is created anew, so that a name that is there already is an error.
type checkout struct {
	ctx      context.Context // lives as long as one call of checkOut
	pack     *pack
	left     *limits
	limit    int64 // what left.bytes was at first, to be named
	bytes    int64
	files    int
	links    []gitLink
	pointers []lfsPointer
	usesLFS  bool // some .gitattributes says that there are Git LFS objects
}

// gitLink is an entry that stands for a commit of another repository.
type gitLink struct{ path, commit string }

// checkOut writes the tree of commit into root and returns what it did.
func (p *pack) checkOut(ctx context.Context, commit string, root *os.Root, left *limits, limit int64) (*checkout, error) {
	encoded, err := p.object(plumbing.NewHash(commit), plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	decoded, err := object.DecodeCommit(nil, encoded)
	if err != nil {
		return nil, treeInvalid("commit %s: %w", commit, err)
	}
	c := &checkout{ctx: ctx, pack: p, left: left, limit: limit}
	return c, c.tree(root, decoded.TreeHash, "", 0)
}

// tree writes the tree that lies at a path of the repository into dir.
func (c *checkout) tree(dir *os.Root, hash plumbing.Hash, at string, depth int) error {
	encoded, err := c.pack.object(hash, plumbing.TreeObject)
	if err != nil {
		return err
	}
	tree, err := object.DecodeTree(nil, encoded)
	if err != nil {
		return treeInvalid("tree %s: %w", hash, err)
	}
	for _, entry := range tree.Entries {
		if err := c.entry(dir, entry, path.Join(at, entry.Name), depth); err != nil {
			return fmt.Errorf("%q: %w", entry.Name, err)
		}
	}
	return nil
}

func (c *checkout) entry(dir *os.Root, entry object.TreeEntry, at string, depth int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if c.left.entries--; c.left.entries < 0 {
		return tooLarge("the commit has more than %d files", maxEntries)
	}
	if name := entry.Name; name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || strings.EqualFold(name, ".git") {
		return treeInvalid("the name is not allowed in a repository")
	}
	err := c.write(dir, entry, at, depth)
	if errors.Is(err, fs.ErrExist) {
		return treeInvalid("the name occurs twice in a folder")
	}
	return err
}

func (c *checkout) write(dir *os.Root, entry object.TreeEntry, at string, depth int) error {
	switch entry.Mode {
	case filemode.Dir:
		return c.folder(dir, entry, at, depth)
	case filemode.Submodule:
		c.links = append(c.links, gitLink{path: at, commit: entry.Hash.String()})
		return dir.Mkdir(entry.Name, 0o755)
	case filemode.Symlink:
		return c.link(dir, entry)
	case filemode.Executable:
		return c.file(dir, entry, at, 0o755)
	default:
		return c.file(dir, entry, at, 0o644)
	}
}

func (c *checkout) folder(dir *os.Root, entry object.TreeEntry, at string, depth int) error {
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
	return c.tree(sub, entry.Hash, at, depth+1)
}

func (c *checkout) file(dir *os.Root, entry object.TreeEntry, at string, mode fs.FileMode) (err error) {
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
	head := headBuffer{limit: maxNoticed}
	if _, err := io.Copy(io.MultiWriter(file, &head), &contextReader{ctx: c.ctx, r: blob}); err != nil {
		return err
	}
	c.notice(at, head.head)
	return file.Chmod(mode) // the process's umask has no say in what is built
}

// notice looks for what tells of Git LFS in the beginning of a file.
func (c *checkout) notice(at string, head []byte) {
	if path.Base(at) == ".gitattributes" && bytes.Contains(head, []byte("filter=lfs")) {
		c.usesLFS = true
	}
	if pointer, ok := parsePointer(head); ok {
		pointer.path = at
		c.pointers = append(c.pointers, pointer)
	}
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
	c.bytes += encoded.Size()
	if c.left.bytes -= encoded.Size(); c.left.bytes < 0 {
		return nil, tooLarge("the commit's files are larger than %d MB", c.limit>>20)
	}
	return encoded.Reader()
}

func treeInvalid(format string, args ...any) *deployment.Failure {
	return deployment.UserFailure("source.tree_invalid", "check the repository with `git fsck --strict`", format, args...)
}
