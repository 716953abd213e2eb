package source

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the checksum of a pack
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
)

// entry is an object of a pack that is being received.
type entry struct {
	place  int64 // where it begins
	kind   plumbing.ObjectType
	hash   plumbing.Hash // of a delta only once it is resolved
	parent int64         // of an offset delta: where its base begins
	base   plumbing.Hash // of a reference delta: its base, which may be in another pack
}

// scan reads a pack while it arrives, and copies it into its file: objects are hashed, deltas only noted. An object that says it is
// larger than maxObject ends it before it is read: a pack of a few kilobytes could otherwise ask for all memory. work is what may be
// inflated.
func scan(ctx context.Context, r io.Reader, file io.Writer, maxObject int64, work *work) ([]entry, error) {
	in := &countingReader{r: io.TeeReader(&contextReader{ctx: ctx, r: r}, diskWriter{file})}
	s := &scanner{in: in, r: bufio.NewReaderSize(in, 64<<10), maxObject: maxObject, work: work}
	count, err := s.header()
	if err != nil {
		return nil, err
	}
	var entries []entry // not made for count at once, which is the server's word
	for range count {
		e, err := s.object()
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	if _, err := io.CopyN(io.Discard, s.r, sha1.Size); err != nil {
		return nil, packError(err)
	}
	_, err = io.Copy(io.Discard, s.r)
	return entries, err
}

// countingReader counts what was read.
type countingReader struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// scanner reads a pack from front to back.
type scanner struct {
	in        *countingReader
	r         *bufio.Reader // on in
	inflate   inflater
	maxObject int64
	work      *work
}

func (s *scanner) header() (count uint32, err error) {
	var head [12]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, packError(err)
	}
	if version := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || version != 2 {
		return 0, errors.New("read pack: not a pack of version 2")
	}
	return binary.BigEndian.Uint32(head[8:]), nil
}

func (s *scanner) object() (entry, error) {
	place := s.in.n - int64(s.r.Buffered())
	head, err := readHead(s.r, place)
	if err != nil {
		return entry{}, packError(err)
	}
	if head.size > s.maxObject {
		return entry{}, objectTooLarge(s.maxObject)
	}
	if err := s.work.charge(head.size); err != nil {
		return entry{}, err
	}
	content, err := s.inflate.reader(s.r)
	if err != nil {
		return entry{}, packError(err)
	}
	e := entry{place: place, kind: head.kind, parent: head.parent, base: head.base}
	if head.kind.IsDelta() {
		return e, s.delta(content, head.size)
	}
	hasher := plumbing.NewHasher(head.kind, head.size)
	if err := copyExactly(hasher, content, head.size); err != nil {
		return entry{}, packError(err)
	}
	e.hash = hasher.Sum()
	return e, nil
}

func (s *scanner) delta(content io.Reader, size int64) error {
	begin := headBuffer{limit: deltaHead}
	if err := copyExactly(&begin, content, size); err != nil {
		return packError(err)
	}
	if deltaTarget(begin.head) > uint64(s.maxObject) {
		return objectTooLarge(s.maxObject)
	}
	return s.work.charge(int64(deltaTarget(begin.head)))
}

// copyExactly copies everything of r, which must be size bytes.
func copyExactly(w io.Writer, r io.Reader, size int64) error {
	n, err := io.Copy(w, io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("%w: an object is said to have %d bytes and has not", errDamaged, size)
	}
	return err
}

func packError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read pack: %w", err)
}

// head is what stands before an object in a pack.
type head struct {
	kind   plumbing.ObjectType
	size   int64 // of what is inflated; of a delta its own
	parent int64
	base   plumbing.Hash
	length int // of the head itself
}

// byteReader is what a head is read from.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// readHead reads the head of the object that begins at a place.
func readHead(r byteReader, place int64) (h head, err error) {
	b, err := r.ReadByte()
	if err != nil {
		return h, err
	}
	h.length = 1
	h.kind, h.size = plumbing.ObjectType(b>>4&7), int64(b&15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = r.ReadByte(); err != nil {
			return h, err
		}
		if shift > 60 {
			return h, errors.New("the size of an object is no number")
		}
		h.length++
		h.size |= int64(b&0x7f) << shift
	}
	switch h.kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.REFDeltaObject:
		_, err = io.ReadFull(r, h.base[:])
		h.length += len(h.base)
	case plumbing.OFSDeltaObject:
		err = h.readParent(r, place)
	default:
		err = fmt.Errorf("an object is of kind %d, which there is not", h.kind)
	}
	if err == nil && h.size < 0 {
		err = errors.New("the size of an object is no number")
	}
	return h, err
}

// readParent reads how far before a place the base of a delta begins.
func (h *head) readParent(r io.ByteReader, place int64) error {
	var back int64
	for i := 0; ; i++ {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		h.length++
		back |= int64(b & 0x7f)
		if b&0x80 == 0 {
			break
		}
		if back = back + 1; back > math.MaxInt64>>8 || i > 8 {
			return errors.New("the base of a delta is nowhere")
		}
		back <<= 7
	}
	if h.parent = place - back; back == 0 || h.parent < 0 {
		return errors.New("the base of a delta is nowhere")
	}
	return nil
}

// deltaHead is how much of a delta holds the sizes of what it is made from and of what it makes.
const deltaHead = 20

// deltaTarget returns the size of what a delta makes: the second of the two numbers it begins with, 7 bits a byte.
func deltaTarget(begin []byte) uint64 {
	var target uint64
	for range 2 {
		target = 0
		for shift := uint(0); len(begin) > 0 && shift < 64; shift += 7 {
			b := begin[0]
			begin = begin[1:]
			target |= uint64(b&0x7f) << shift
			if b&0x80 == 0 {
				break
			}
		}
	}
	return target
}

// sums reads a pack's file once more and returns the checksum of each object's bytes, for the index, and that of the pack, which
// must be the one that it ends with.
func sums(file io.ReaderAt, size int64, entries []entry) (crcs []uint32, sum plumbing.Hash, err error) {
	end := size - sha1.Size
	r := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 256<<10)
	whole := sha1.New() //nolint:gosec // the format's
	if len(entries) > 0 {
		end = entries[0].place
	}
	if _, err := io.CopyN(whole, r, end); err != nil {
		return nil, sum, storeFailure(err)
	}
	crcs = make([]uint32, len(entries))
	for i := range entries {
		end = size - sha1.Size
		if i+1 < len(entries) {
			end = entries[i+1].place
		}
		crc := crc32.NewIEEE()
		if _, err := io.CopyN(io.MultiWriter(whole, crc), r, end-entries[i].place); err != nil {
			return nil, sum, storeFailure(err)
		}
		crcs[i] = crc.Sum32()
	}
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return nil, sum, storeFailure(err)
	}
	if !bytes.Equal(whole.Sum(nil), sum[:]) {
		return nil, sum, errors.New("read pack: its checksum is wrong")
	}
	return crcs, sum, nil
}
