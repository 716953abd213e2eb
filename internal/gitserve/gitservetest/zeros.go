package gitservetest

import (
	"bytes"
	"compress/flate"
	"crypto/sha1" //nolint:gosec // what git names objects by
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// zerosUnit is what Zeros makes a file of.
const zerosUnit = 64 << 20

// TenGiB is how many units a file of 10 GiB has. Its id is known: to compute it takes most of a minute.
const (
	TenGiB   = 160
	tenGiBID = "1119181c4708377b56e8dedc83bba16a2ce4a254"
)

// Zeros stores a file of that many times 64 MiB of zeros, a thousandth of which lies in the repository, and returns its id. It is put
// together from pieces that are deflated once: git itself would be at it for a minute.
func Zeros(tb testing.TB, repo *Repo, units int) string {
	tb.Helper()
	header, zeros := fmt.Appendf(nil, "blob %d\x00", units*zerosUnit), make([]byte, zerosUnit)
	var piece bytes.Buffer
	w, err := flate.NewWriter(&piece, flate.BestSpeed)
	require.NoError(tb, err)
	deflated := func(content []byte, end func() error) []byte {
		piece.Reset()
		_, err := w.Write(content)
		require.NoError(tb, err)
		require.NoError(tb, end())
		return bytes.Clone(piece.Bytes())
	}
	object := append([]byte{0x78, 0x01}, deflated(append(header, zeros...), w.Flush)...)
	again := deflated(zeros, w.Flush) // fits wherever zeros stand before it
	for range units - 1 {
		object = append(object, again...)
	}
	object = append(object, deflated(nil, w.Close)...)
	object = binary.BigEndian.AppendUint32(object, adler(header, units*zerosUnit))
	id := tenGiBID
	if units != TenGiB {
		id = zerosID(header, zeros, units)
	}
	path := filepath.Join(repo.Dir, "objects", id[:2], id[2:])
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tb, os.WriteFile(path, object, 0o444))
	return id
}

func zerosID(header, zeros []byte, units int) string {
	name := sha1.New() //nolint:gosec // what git names objects by
	name.Write(header)
	for range units {
		name.Write(zeros)
	}
	return hex.EncodeToString(name.Sum(nil))
}

// adler is the checksum of a text with so many zeros behind it.
func adler(text []byte, zeros int) uint32 {
	const base = 65521
	a, b := 1, 0
	for _, c := range text {
		a = (a + int(c)) % base
		b = (b + a) % base
	}
	return uint32((b+zeros%base*a)%base)<<16 | uint32(a)
}
