package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxObjectBytes bounds one file of a repository: what deltas make is held in memory.
const maxObjectBytes = 256 << 20

// incoming is what the files of packs that are being received are called.
const incoming = ".incoming-"

// pack is a file of objects with its index in memory.
type pack struct {
	file   *os.File
	bytes  int64
	count  int
	number int // tells the packs of one fetch apart
	index  *idxfile.MemoryIndex
	kept   bool                    // it comes out of a mirror
	fresh  map[plumbing.Hash]int64 // while there is no index: what deltas are made from
	name   string                  // of the file, while it has one that nobody else knows
}

// offset returns where an object begins.
func (p *pack) offset(hash plumbing.Hash) (int64, bool) {
	if p.index == nil {
		place, ok := p.fresh[hash]
		return place, ok
	}
	place, err := p.index.FindOffset(hash)
	return place, err == nil
}

func (p *pack) close() {
	_ = p.file.Close() // only read from by now
	if p.name != "" {
		_ = os.Remove(p.name)
	}
}

// storePack writes the pack that arrives into a file and indexes it. What its deltas are made from may be among the objects that
// are known. The file has no name, so that a crash leaves nothing behind, unless it is to be kept.
func (o *objects) storePack(ctx context.Context, r io.Reader, dir string, keep bool) (_ *pack, err error) {
	file, err := os.CreateTemp(dir, incoming)
	if err != nil {
		return nil, storeFailure(err)
	}
	p := &pack{file: file, name: file.Name()}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if !keep {
		if err := os.Remove(file.Name()); err != nil {
			return nil, storeFailure(err)
		}
		p.name = ""
	}
	entries, err := scan(ctx, r, file, o.maxObject, &o.work)
	if err != nil {
		return nil, err
	}
	if p.bytes, err = file.Seek(0, io.SeekEnd); err != nil {
		return nil, storeFailure(err)
	}
	p.count = len(entries)
	if err = o.add(ctx, p, entries); err != nil {
		err = fmt.Errorf("index pack: %w", err)
	}
	return p, err
}

// add indexes a pack and adds it to the objects that are known.
func (o *objects) add(ctx context.Context, p *pack, entries []entry) (err error) {
	crcs, sum, err := sums(p.file, p.bytes, entries)
	if err != nil {
		return err
	}
	known := o.packs
	p.number = len(known)
	o.packs = append([]*pack{p}, known...)
	defer func() {
		if err != nil {
			o.packs = known
		}
	}()
	if err := o.resolve(ctx, p, entries); err != nil {
		return err
	}
	writer := new(idxfile.Writer)
	for i, e := range entries {
		writer.Add(e.hash, uint64(e.place), crcs[i])
	}
	if err := writer.OnFooter(sum); err != nil {
		return err
	}
	index, err := writer.Index()
	p.index, p.fresh = index, nil
	return err
}

// resolve finds out what deltas make. Each follows what it is made from, which was made just before and is still in memory then.
func (o *objects) resolve(ctx context.Context, p *pack, entries []entry) error {
	after, named := map[int64][]int{}, map[plumbing.Hash][]int{}
	var ready []int
	for i, e := range entries {
		switch e.kind {
		case plumbing.OFSDeltaObject:
			after[e.parent] = append(after[e.parent], i)
		case plumbing.REFDeltaObject:
			named[e.base] = append(named[e.base], i)
		default:
			ready = append(ready, i)
		}
	}
	left := len(entries) - len(ready)
	p.fresh = map[plumbing.Hash]int64{}
	for base, deltas := range named {
		if _, ok := o.find(base); ok { // in another pack: this one is thin
			ready = append(ready, deltas...)
			delete(named, base)
		}
	}
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		e := &entries[i]
		if e.kind.IsDelta() {
			if err := ctx.Err(); err != nil {
				return err
			}
			kind, content, err := o.content(place{p, e.place})
			if err != nil {
				return err
			}
			e.hash = plumbing.ComputeHash(kind, content)
			left--
		}
		ready = append(ready, after[e.place]...)
		if deltas := named[e.hash]; deltas != nil {
			p.fresh[e.hash] = e.place
			ready = append(ready, deltas...)
			delete(named, e.hash)
		}
	}
	if left > 0 {
		return fmt.Errorf("%w: %d deltas are made from what is not there", errDamaged, left)
	}
	return nil
}

// diskWriter tells an error of our disk from one of the connection that is copied from.
type diskWriter struct{ w io.Writer }

// Write implements io.Writer.
func (d diskWriter) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		return n, storeFailure(err)
	}
	return n, nil
}

// errDamaged says that an object is not what its name says, or is missing.
var errDamaged = errors.New("damaged pack")

func storeFailure(err error) error {
	return deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "store pack: %w", err)
}

func objectTooLarge(limit int64) error {
	return deployment.UserFailure("source.too_large", "keep it out of the repository, or in Git LFS",
		"the repository holds a file of more than %d MB", limit>>20)
}
