package source

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxObjectBytes bounds one file of a repository: go-git holds an object in memory while it rebuilds it.
const maxObjectBytes = 256 << 20

// pack is a received pack with its index in memory.
type pack struct {
	objects *packfile.Packfile
	file    *packFile
	bytes   int64
}

// packFile is the file of a pack as go-git wants it. Reads fail once the context has ended: that is what stops the parser,
// which takes no context.
type packFile struct {
	*os.File
	ctx context.Context // io.Reader has no other way to take one
}

// Read implements io.Reader.
func (f *packFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// Lock and Unlock complete billy.File; nobody else knows the file.
func (f *packFile) Lock() error { return nil }

// Unlock does nothing.
func (f *packFile) Unlock() error { return nil }

// storePack writes a pack into a file on dir's disk, checks that no object in it is larger than maxObject, and indexes it.
// The file has no name, so that a crash leaves nothing behind.
func storePack(ctx context.Context, r io.Reader, dir string, maxObject int64) (_ *pack, err error) {
	file, err := os.CreateTemp(dir, ".pack-")
	if err != nil {
		return nil, storeFailure(err)
	}
	p := &pack{file: &packFile{File: file, ctx: ctx}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, storeFailure(err)
	}
	if p.bytes, err = io.Copy(diskWriter{file}, &contextReader{ctx: ctx, r: r}); err != nil {
		return nil, err
	}
	if err := p.inspect(ctx, maxObject); err != nil {
		return nil, err
	}
	if err := p.index(); err != nil {
		return nil, fmt.Errorf("index pack: %w", err)
	}
	return p, nil
}

// inspect reads the pack once without keeping anything. The parser takes an object's size from the object itself and
// allocates it: a pack of a few kilobytes could otherwise ask for all memory.
func (p *pack) inspect(ctx context.Context, maxObject int64) error {
	if err := p.rewind(); err != nil {
		return err
	}
	scanner := packfile.NewScanner(p.file)
	_, count, err := scanner.Header()
	if err != nil {
		return fmt.Errorf("read pack: %w", err)
	}
	for range count {
		header, err := scanner.NextObjectHeader()
		if err != nil {
			return fmt.Errorf("read pack: %w", err)
		}
		if header.Length > maxObject {
			return objectTooLarge(maxObject)
		}
		sink := &objectSink{ctx: ctx}
		if _, _, err := scanner.NextObject(sink); err != nil {
			return fmt.Errorf("read pack: %w", err)
		}
		if header.Type.IsDelta() && sink.deltaTarget() > uint64(maxObject) {
			return objectTooLarge(maxObject)
		}
	}
	return nil
}

func (p *pack) index() error {
	if err := p.rewind(); err != nil {
		return err
	}
	writer := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(p.file), writer)
	if err != nil {
		return err
	}
	if _, err := parser.Parse(); err != nil {
		return err
	}
	index, err := writer.Index()
	if err != nil {
		return err
	}
	// Without a filesystem objects come out of memory, so the file needs no name.
	p.objects = packfile.NewPackfile(index, nil, p.file, 0)
	return nil
}

func (p *pack) rewind() error {
	_, err := p.file.Seek(0, io.SeekStart)
	return err
}

// has reports whether the pack holds an object.
func (p *pack) has(hash string) bool {
	found, err := p.objects.Contains(plumbing.NewHash(hash))
	return err == nil && found
}

// object returns an object of the wanted type.
func (p *pack) object(hash plumbing.Hash, wanted plumbing.ObjectType) (plumbing.EncodedObject, error) {
	object, err := p.objects.Get(hash)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", wanted, hash, err)
	}
	if object.Type() != wanted {
		return nil, treeInvalid("%s is a %s where a %s belongs", hash, object.Type(), wanted)
	}
	return object, nil
}

func (p *pack) close() { _ = p.file.Close() } // only read from, and it has no name

// objectSink swallows an inflated object and keeps its first bytes: in a delta they tell the size of the result.
type objectSink struct {
	ctx  context.Context // io.Writer has no other way to take one
	head []byte
}

// Write implements io.Writer.
func (s *objectSink) Write(p []byte) (int, error) {
	if room := 20 - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, len(p))]...)
	}
	return len(p), s.ctx.Err()
}

// deltaTarget returns the size of what a delta makes: the second of the two numbers it begins with, 7 bits a byte.
func (s *objectSink) deltaTarget() uint64 {
	var target uint64
	rest := s.head
	for range 2 {
		target = 0
		for shift := uint(0); len(rest) > 0 && shift < 64; shift += 7 {
			b := rest[0]
			rest = rest[1:]
			target |= uint64(b&0x7f) << shift
			if b&0x80 == 0 {
				break
			}
		}
	}
	return target
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

func storeFailure(err error) error {
	return deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "store pack: %w", err)
}

func objectTooLarge(limit int64) error {
	return tooLarge("the repository holds a file of more than %d MB", limit>>20)
}
