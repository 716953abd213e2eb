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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Bounds of a tree.
const (
	maxDepth     = 256
	maxLinkBytes = 4096
	maxNoticed   = 64 << 10 // of a .gitattributes, which may tell of Git LFS
	maxWriters   = 4        // of files, at once: the kernel takes longer to make one than we to inflate it
)

// checkout writes one commit's tree. Nothing of it follows a symbolic link: folders are entered through os.Root, which
// refuses to leave them, and every entry is created anew, so that a name that is there already is an error.
type checkout struct {
	ctx     context.Context // lives as long as one call of checkOut
	objects *objects
	limit   int64 // what left.bytes was at first, to be named
	writers *errgroup.Group
	memory  *semaphore.Weighted // of what is being written
	root    bool                // the commit has no parents

	mu       sync.Mutex // of what follows
	left     *limits
	bytes    int64
	files    int
	links    []gitLink
	pointers []lfsPointer
	usesLFS  bool // some .gitattributes says that there are Git LFS objects

	committed time.Time
}

// gitLink is an entry that stands for a commit of another repository.
type gitLink struct{ path, commit string }

// checkOut writes the tree of commit into root and returns what it did. One goroutine walks the tree; several write files.
func (o *objects) checkOut(ctx context.Context, commit string, root *os.Root, left *limits, most limits) (*checkout, error) {
	encoded, err := o.object(plumbing.NewHash(commit), plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	decoded, err := object.DecodeCommit(nil, encoded)
	if err != nil {
		return nil, treeInvalid("commit %s: %w", commit, err)
	}
	if err := o.admit(ctx, decoded.TreeHash, left, most.entries); err != nil {
		return nil, err
	}
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(maxWriters)
	c := &checkout{
		ctx: ctx, objects: o, left: left, limit: most.bytes, root: decoded.NumParents() == 0, committed: decoded.Committer.When,
		writers: writers, memory: semaphore.NewWeighted(maxObjectBytes),
	}
	top := &folder{Root: root}
	top.hold() // for ever: it is the caller's
	walkErr := c.tree(top, decoded.TreeHash, "", 0)
	err = writers.Wait() // also when the walk failed: nothing is written after this has returned
	if walkErr != nil && (err == nil || !errors.Is(walkErr, context.Canceled)) {
		err = walkErr
	}
	slices.SortFunc(c.pointers, func(a, b lfsPointer) int { return strings.Compare(a.path, b.path) })
	return c, err
}

// tree writes the tree that lies at a path of the repository into dir.
func (c *checkout) tree(dir *folder, hash plumbing.Hash, at string, depth int) error {
	encoded, err := c.objects.object(hash, plumbing.TreeObject)
	if err != nil {
		return err
	}
	tree, err := object.DecodeTree(nil, encoded)
	if err != nil {
		return treeInvalid("tree %s: %w", hash, err)
	}
	for _, entry := range tree.Entries {
		if err := c.entry(dir, entry, path.Join(at, entry.Name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *checkout) entry(dir *folder, entry object.TreeEntry, at string, depth int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if name := entry.Name; name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || strings.EqualFold(name, ".git") {
		return treeInvalid("%q: the name is not allowed in a repository", at)
	}
	switch entry.Mode {
	case filemode.Dir:
		return c.folder(dir, entry, at, depth)
	case filemode.Submodule:
		c.links = append(c.links, gitLink{path: at, commit: entry.Hash.String()})
		return entryError(at, dir.Mkdir(entry.Name, 0o755))
	case filemode.Symlink:
		return entryError(at, c.link(dir, entry))
	default:
		dir.hold()
		c.writers.Go(func() error {
			defer dir.release()
			return entryError(at, c.file(dir, entry, at))
		})
		return nil
	}
}

// entryError names the entry that an error is about.
func entryError(at string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return treeInvalid("%q: the name occurs twice in a folder", at)
	}
	return fmt.Errorf("%q: %w", at, err)
}

// folder is an open folder of the checkout. It is closed when the last who holds it lets go.
type folder struct {
	*os.Root
	holders atomic.Int32
}

func (f *folder) hold() { f.holders.Add(1) }

func (f *folder) release() {
	if f.holders.Add(-1) == 0 {
		_ = f.Close() // holds no data
	}
}

func (c *checkout) folder(dir *folder, entry object.TreeEntry, at string, depth int) error {
	if depth >= maxDepth {
		return tooLarge("folders are nested deeper than %d", maxDepth)
	}
	if err := dir.Mkdir(entry.Name, 0o755); err != nil {
		return entryError(at, err)
	}
	root, err := dir.OpenRoot(entry.Name)
	if err != nil {
		return entryError(at, err)
	}
	sub := &folder{Root: root}
	sub.hold()
	defer sub.release()
	return c.tree(sub, entry.Hash, at, depth+1)
}

func (c *checkout) file(dir *folder, entry object.TreeEntry, at string) (err error) {
	mode := fs.FileMode(0o644)
	if entry.Mode == filemode.Executable {
		mode = 0o755
	}
	file, err := dir.OpenFile(entry.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	head := headBuffer{limit: noticed(at)}
	held := int64(0)
	defer func() { c.memory.Release(held) }()
	err = c.objects.copy(io.MultiWriter(&contextWriter{ctx: c.ctx, w: file}, &head), entry.Hash, plumbing.BlobObject, func(size int64) error {
		err := c.charge(size)
		if err == nil {
			err = c.memory.Acquire(c.ctx, size)
		}
		if err == nil {
			held = size
		}
		return err
	})
	if err != nil {
		return err
	}
	c.notice(at, head.head)
	info, err := file.Stat()
	if err == nil && info.Mode().Perm() != mode {
		err = file.Chmod(mode) // the process's umask has no say in what is built
	}
	return err
}

// noticed is how much of a file notice looks at.
func noticed(at string) int {
	if path.Base(at) == ".gitattributes" {
		return maxNoticed
	}
	return maxPointerBytes + 1 // a pointer is no longer than that
}

// notice looks for what tells of Git LFS in the beginning of a file.
func (c *checkout) notice(at string, head []byte) {
	attributes := path.Base(at) == ".gitattributes" && bytes.Contains(head, []byte("filter=lfs"))
	pointer, ok := parsePointer(head)
	if !attributes && !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.usesLFS = c.usesLFS || attributes
	if ok {
		pointer.path = at
		c.pointers = append(c.pointers, pointer)
	}
}

func (c *checkout) link(dir *folder, entry object.TreeEntry) error {
	var target bytes.Buffer
	err := c.objects.copy(&target, entry.Hash, plumbing.BlobObject, func(size int64) error {
		if size >= maxLinkBytes {
			return notALink()
		}
		return c.charge(size)
	})
	if err != nil {
		return err
	}
	if target.Len() == 0 || bytes.ContainsRune(target.Bytes(), 0) {
		return notALink()
	}
	return dir.Symlink(target.String(), entry.Name)
}

// charge charges a file's size to the limit.
func (c *checkout) charge(size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files++
	c.bytes += size
	if c.left.bytes -= size; c.left.bytes < 0 {
		return tooLarge("the commit's files are larger than %d MB", c.limit>>20)
	}
	return nil
}

func notALink() error { return treeInvalid("the target of the symbolic link is not a path") }

func treeInvalid(format string, args ...any) *deployment.Failure {
	return deployment.UserFailure("source.tree_invalid", "check the repository with `git fsck --strict`", format, args...)
}
