package source

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// counter counts what a tree stands for before any of it is written: a tree may name another many times over, so that a few objects
// stand for millions of files, which a host would be busy making and removing.
type counter struct {
	ctx     context.Context // lives as long as one count
	objects *objects
	most    int
	known   map[plumbing.Hash]int // of trees
}

// admit charges the entries of a tree to what is left.
func (o *objects) admit(ctx context.Context, tree plumbing.Hash, left *limits, most int) error {
	c := &counter{ctx: ctx, objects: o, most: left.entries, known: map[plumbing.Hash]int{}}
	n, err := c.tree(tree, 0)
	if err != nil {
		return err
	}
	if left.entries -= n; left.entries < 0 {
		return tooManyFiles(most)
	}
	return nil
}

// tree counts the entries of a tree and of those in it, to just beyond the most that may be.
func (c *counter) tree(hash plumbing.Hash, depth int) (int, error) {
	if n, ok := c.known[hash]; ok {
		return n, nil
	}
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if depth > maxDepth {
		return 0, tooLarge("folders are nested deeper than %d", maxDepth)
	}
	encoded, err := c.objects.object(hash, plumbing.TreeObject)
	if err != nil {
		return 0, err
	}
	tree, err := object.DecodeTree(nil, encoded)
	if err != nil {
		return 0, treeInvalid("tree %s: %w", hash, err)
	}
	n := len(tree.Entries)
	for _, entry := range tree.Entries {
		if n > c.most {
			break
		}
		if entry.Mode == filemode.Dir {
			below, err := c.tree(entry.Hash, depth+1)
			if err != nil {
				return 0, err
			}
			n += below
		}
	}
	c.known[hash] = n
	return n, nil
}
