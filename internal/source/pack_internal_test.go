package source

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"
)

// packOf makes a pack of objects as they are to lie in it.
func packOf(objects ...[]byte) []byte {
	pack := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects)))
	for _, object := range objects {
		pack = append(pack, object...)
	}
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...)
}

// packed is an object with a head that says what it likes.
func packed(kind plumbing.ObjectType, size int, before, content []byte) []byte {
	first := byte(kind)<<4 | byte(size&15)
	var out []byte
	for size >>= 4; size > 0; size >>= 7 {
		out = append(out, first|0x80)
		first = byte(size & 0x7f)
	}
	out = append(append(out, first), before...)
	var deflated bytes.Buffer
	w := zlib.NewWriter(&deflated)
	_, _ = w.Write(content)
	_ = w.Close()
	return append(out, deflated.Bytes()...)
}

func blob(content string) []byte {
	return packed(plumbing.BlobObject, len(content), nil, []byte(content))
}

// insert is a delta that makes content of a base of so many bytes without taking anything from it.
func insert(base int, content string) []byte {
	return append([]byte{byte(base), byte(len(content)), byte(len(content))}, content...)
}

func nameOf(content string) plumbing.Hash {
	return plumbing.ComputeHash(plumbing.BlobObject, []byte(content))
}

func stored(t *testing.T, known *objects, raw []byte) error {
	t.Helper()
	p, err := known.storePack(t.Context(), bytes.NewReader(raw), t.TempDir(), false)
	if err == nil {
		t.Cleanup(p.close)
	}
	return err
}

func TestAPackIsReadWithItsDeltas(t *testing.T) {
	t.Parallel()
	o := newObjects(nil, 1<<20)
	base, chained, last := nameOf("hello"), nameOf("second"), nameOf("third!")
	first := blob("hello")
	delta := insert(5, "second")
	second := packed(plumbing.OFSDeltaObject, len(delta), []byte{byte(len(first))}, delta)
	delta = insert(6, "third!")
	third := packed(plumbing.REFDeltaObject, len(delta), chained[:], delta)
	require.NoError(t, stored(t, o, packOf(first, second, third)))
	for hash, content := range map[plumbing.Hash]string{base: "hello", chained: "second", last: "third!"} {
		object, err := o.object(hash, plumbing.BlobObject)
		require.NoError(t, err)
		require.Equal(t, int64(len(content)), object.Size())
	}

	delta = insert(6, "fourth")
	require.NoError(t, stored(t, o, packOf(packed(plumbing.REFDeltaObject, len(delta), last[:], delta))), "made from an object of another pack")
	require.True(t, o.has(nameOf("fourth")))
	require.Len(t, o.packs, 2)
}

func TestHostilePacksAreRefused(t *testing.T) {
	t.Parallel()
	somewhere := plumbing.ComputeHash(plumbing.BlobObject, []byte("not there"))
	tooMuch := binary.AppendUvarint([]byte{5}, 1<<40)
	short := packOf(blob("hello"))
	flipped := bytes.Clone(short)
	flipped[len(flipped)-1] ^= 1
	for name, test := range map[string]struct {
		raw  []byte
		says string
	}{
		"no pack":                     {[]byte("<html>and more"), "not a pack"},
		"nothing":                     {nil, "unexpected EOF"},
		"cut short":                   {short[:len(short)-25], "unexpected EOF"},
		"no checksum":                 {short[:len(short)-3], "unexpected EOF"},
		"wrong checksum":              {flipped, "checksum is wrong"},
		"fewer objects than said":     {append([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"), blob("x")...), "unexpected EOF"},
		"more content than said":      {packOf(packed(plumbing.BlobObject, 3, nil, []byte("hello"))), "is said to have 3 bytes"},
		"less content than said":      {packOf(packed(plumbing.BlobObject, 7, nil, []byte("hello"))), "is said to have 7 bytes"},
		"an object too large":         {packOf(packed(plumbing.BlobObject, 1<<21, nil, nil)), "more than 1 MB"},
		"a delta that makes too much": {packOf(blob("hello"), packed(plumbing.OFSDeltaObject, len(tooMuch), []byte{byte(len(blob("hello")))}, tooMuch)), "more than 1 MB"},
		"a delta of nothing known":    {packOf(packed(plumbing.REFDeltaObject, 4, somewhere[:], insert(9, "x"))), "made from what is not there"},
		"a delta of itself":           {packOf(packed(plumbing.OFSDeltaObject, 4, []byte{0}, insert(9, "x"))), "is nowhere"},
		"a delta of what is before":   {packOf(packed(plumbing.OFSDeltaObject, 4, []byte{127}, insert(9, "x"))), "is nowhere"},
		"a delta of half an object":   {packOf(blob("hello"), packed(plumbing.OFSDeltaObject, 3, []byte{1}, insert(5, ""))), "made from what is not there"},
		"a delta of another base":     {packOf(blob("hello"), packed(plumbing.OFSDeltaObject, 4, []byte{byte(len(blob("hello")))}, insert(9, "x"))), "invalid delta"},
		"an unknown kind":             {packOf(packed(5, 1, nil, []byte("x"))), "of kind 5"},
		"a size without end":          {packOf(bytes.Repeat([]byte{0xbf}, 30)), "no number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newObjects(nil, 1<<20)
			require.ErrorContains(t, stored(t, o, test.raw), test.says)
			require.Empty(t, o.packs)
		})
	}
}

// TestDeltasThatRepeatWithoutEndAreRefused has deltas of a few bytes make a file of 256 KiB each.
func TestDeltasThatRepeatWithoutEndAreRefused(t *testing.T) {
	t.Parallel()
	base := packed(plumbing.BlobObject, 1<<18, nil, make([]byte, 1<<18))
	repeats := binary.AppendUvarint(binary.AppendUvarint(nil, 1<<18), 1<<18)
	for range 4 {
		repeats = append(repeats, 0x80) // 64 KiB from the beginning
	}
	objects, parent := [][]byte{base}, nameOf(string(make([]byte, 1<<18)))
	for range 40 {
		objects = append(objects, packed(plumbing.REFDeltaObject, len(repeats), parent[:], repeats))
	}
	require.ErrorContains(t, stored(t, newObjects(nil, 1<<18), packOf(objects...)), "larger than 8 MB when they are unpacked")
	require.NoError(t, stored(t, newObjects(nil, 1<<18), packOf(objects[:30]...)))
}

// TestADamagedPackIsNoticed flips bytes of a pack after it was indexed, as a bad disk does.
func TestADamagedPackIsNoticed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		o := newObjects(nil, 1<<20)
		delta := insert(5, "second")
		require.NoError(t, stored(t, o, packOf(blob("hello"), packed(plumbing.OFSDeltaObject, len(delta), []byte{byte(len(blob("hello")))}, delta))))
		o.bases.Clear()
		o.packs[0].kept = true
		file := o.packs[0].file // os.CreateTemp opened it for writing, too
		at := 12 + random.Int64N(o.packs[0].bytes-12-20)
		damaged := make([]byte, 1)
		_, err := file.ReadAt(damaged, at)
		require.NoError(t, err)
		damaged[0] ^= 1 << random.IntN(8)
		_, err = file.WriteAt(damaged, at)
		require.NoError(t, err)

		_, first := o.object(nameOf("hello"), plumbing.BlobObject)
		_, second := o.object(nameOf("second"), plumbing.BlobObject)
		require.True(t, first != nil || second != nil, "byte %d", at)
	}
}
