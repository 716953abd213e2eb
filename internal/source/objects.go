package source

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // what git names objects by
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

const (
	maxDeltas = 4095     // that follow one another, as in git itself
	keptBases = 64 << 20 // bytes of what deltas were made from lately
)

// objects are what packs hold together: a delta may be made from an object of another one. Several goroutines may read at once.
type objects struct {
	packs     []*pack
	bases     *cache.BufferLRU
	maxObject int64
	work      work
}

// maxGrowth is how much larger than the most that may be received all objects of a pack may be together. A pack that is written to do harm
// grows a thousand times when it is inflated, and without bounds where deltas repeat what they are made from; one that holds a
// repository's history grows tenfold.
const maxGrowth = 32

func newObjects(packs []*pack, maxBytes int64) *objects {
	return &objects{
		packs: packs, bases: cache.NewBufferLRU(keptBases), maxObject: min(maxBytes, maxObjectBytes),
		work: work{left: maxBytes * maxGrowth, most: maxBytes * maxGrowth},
	}
}

// work counts what is inflated, and put together from deltas.
type work struct{ left, most int64 }

func (w *work) charge(size int64) error {
	if w.left -= size; w.left < 0 {
		return tooLarge("the repository's objects are larger than %d MB when they are unpacked", w.most>>20)
	}
	return nil
}

// place is where an object begins.
type place struct {
	pack   *pack
	offset int64
}

// find looks for an object, in the newest pack first.
func (o *objects) find(hash plumbing.Hash) (place, bool) {
	for _, p := range o.packs {
		if offset, ok := p.offset(hash); ok {
			return place{p, offset}, true
		}
	}
	return place{}, false
}

// has tells whether an object is there.
func (o *objects) has(hash plumbing.Hash) bool {
	_, ok := o.find(hash)
	return ok
}

// object returns an object of the wanted kind.
func (o *objects) object(hash plumbing.Hash, wanted plumbing.ObjectType) (plumbing.EncodedObject, error) {
	found := new(plumbing.MemoryObject)
	found.SetType(wanted)
	if err := o.copy(found, hash, wanted, func(int64) error { return nil }); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", wanted, hash, err)
	}
	return found, nil
}

// copy writes an object of the wanted kind, once admit has agreed to its size, and checks that it is what its name says: a mirror
// may have lain on a bad disk.
func (o *objects) copy(w io.Writer, hash plumbing.Hash, wanted plumbing.ObjectType, admit func(size int64) error) error {
	at, ok := o.find(hash)
	if !ok {
		return missing(hash)
	}
	_, err := at.read(func(h head, content io.Reader) error {
		if h.kind.IsDelta() {
			return o.copyDelta(w, at, hash, wanted, admit)
		}
		if err := o.admitted(at, hash, h.kind, wanted, h.size, admit); err != nil {
			return err
		}
		if !at.pack.kept {
			return copyExactly(w, content, h.size) // its name was made of it just now
		}
		sum := sha1.New() //nolint:gosec // what git names objects by; that no two share one was looked at when they came
		sum.Write([]byte(h.kind.String() + " " + strconv.FormatInt(h.size, 10) + "\x00"))
		err := copyExactly(w, io.TeeReader(content, sum), h.size)
		if err == nil && plumbing.Hash(sum.Sum(nil)) != hash {
			err = somethingElse(hash)
		}
		return err
	})
	return err
}

func (o *objects) copyDelta(w io.Writer, at place, hash plumbing.Hash, wanted plumbing.ObjectType, admit func(int64) error) error {
	size, err := at.target()
	if err != nil {
		return err
	}
	if err := o.admitted(at, hash, wanted, wanted, size, admit); err != nil { // before it is put together
		return err
	}
	kind, content, err := o.content(at)
	switch {
	case err != nil:
		return err
	case plumbing.ComputeHash(kind, content) != hash:
		return somethingElse(hash)
	case kind != wanted:
		return treeInvalid("%s is a %s where a %s belongs", hash, kind, wanted)
	}
	_, err = w.Write(content)
	return err
}

func (o *objects) admitted(at place, hash plumbing.Hash, kind, wanted plumbing.ObjectType, size int64, admit func(int64) error) error {
	switch {
	case kind != wanted && at.pack.kept: // or it would have been seen when the tree came
		return somethingElse(hash)
	case kind != wanted:
		return treeInvalid("%s is a %s where a %s belongs", hash, kind, wanted)
	case size > o.maxObject:
		return objectTooLarge(o.maxObject)
	}
	return admit(size)
}

// content returns the object that begins at a place, put together where it is a delta.
func (o *objects) content(at place) (plumbing.ObjectType, []byte, error) {
	var deltas []place
	for {
		if kind, content, ok := o.remembered(at); ok {
			return o.patch(kind, content, deltas)
		}
		h, content, err := at.whole()
		if err != nil {
			return 0, nil, err
		}
		if !h.kind.IsDelta() {
			o.remember(at, h.kind, content)
			return o.patch(h.kind, content, deltas)
		}
		if deltas = append(deltas, at); len(deltas) > maxDeltas {
			return 0, nil, fmt.Errorf("%w: more than %d deltas follow one another", errDamaged, maxDeltas)
		}
		if h.kind == plumbing.OFSDeltaObject {
			at.offset = h.parent
		} else if base, ok := o.find(h.base); ok {
			at = base
		} else {
			return 0, nil, missing(h.base)
		}
	}
}

// patch applies deltas, the last of them first.
func (o *objects) patch(kind plumbing.ObjectType, content []byte, deltas []place) (plumbing.ObjectType, []byte, error) {
	for _, at := range slices.Backward(deltas) {
		_, delta, err := at.whole()
		if err != nil {
			return 0, nil, err
		}
		if deltaTarget(delta) > uint64(o.maxObject) {
			return 0, nil, objectTooLarge(o.maxObject)
		}
		if content, err = packfile.PatchDelta(content, delta); err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		o.remember(at, kind, content)
	}
	return kind, content, nil
}

// remember keeps what further deltas may be made from; its kind stands behind it.
func (o *objects) remember(at place, kind plumbing.ObjectType, content []byte) {
	o.bases.Put(at.key(), append(content, byte(kind)))
}

func (o *objects) remembered(at place) (plumbing.ObjectType, []byte, bool) {
	kept, ok := o.bases.Get(at.key())
	if !ok {
		return 0, nil, false
	}
	return plumbing.ObjectType(kept[len(kept)-1]), kept[: len(kept)-1 : len(kept)-1], true
}

// target returns the size of what the delta that begins at a place makes.
func (at place) target() (size int64, err error) {
	_, err = at.read(func(_ head, content io.Reader) error {
		begin := make([]byte, deltaHead)
		n, err := io.ReadFull(content, begin)
		if err == io.ErrUnexpectedEOF { // the delta is shorter
			err = nil
		}
		size = int64(min(deltaTarget(begin[:n]), math.MaxInt64))
		return err
	})
	return size, err
}

// key tells places apart; no pack has 16 TB.
func (at place) key() int64 { return int64(at.pack.number)<<44 | at.offset }

// read reads the object that begins at a place, as it lies in its file.
func (at place) read(use func(h head, content io.Reader) error) (head, error) {
	reader := placeReaders.Get().(*placeReader) //nolint:forcetypeassert // nothing else is put there
	defer placeReaders.Put(reader)
	h, content, err := reader.at(at.pack.file, at.offset, at.pack.bytes)
	if err != nil {
		return h, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return h, use(h, damageReader{content})
}

// damageReader tells an error of what is read from one of what it is written to.
type damageReader struct{ r io.Reader }

// Read implements io.Reader.
func (d damageReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers are to return it
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return n, err
}

// whole is read for what fits into memory: the sizes of objects were looked at when they came.
func (at place) whole() (h head, content []byte, err error) {
	h, err = at.read(func(h head, r io.Reader) error {
		buffer := bytes.NewBuffer(make([]byte, 0, h.size+1+bytes.MinRead))
		err := copyExactly(buffer, r, h.size)
		content = buffer.Bytes()
		return err
	})
	return h, content, err
}

func somethingElse(hash plumbing.Hash) error {
	return fmt.Errorf("%w: %s is something else", errDamaged, hash)
}

func missing(hash plumbing.Hash) error { return fmt.Errorf("%w: %s is not in it", errDamaged, hash) }
