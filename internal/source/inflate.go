package source

import (
	"bufio"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// inflater inflates one object after the other. It takes not a byte more from a bufio.Reader than belongs to an object. The
// standard library's takes longer, since it asks for each byte through an interface.
type inflater struct{ zr io.ReadCloser }

func (i *inflater) reader(r *bufio.Reader) (io.Reader, error) {
	if i.zr != nil {
		return i.zr, i.zr.(zlib.Resetter).Reset(r, nil) //nolint:forcetypeassert // the package promises it
	}
	var err error
	i.zr, err = zlib.NewReader(r)
	return i.zr, err
}

// placeReader reads objects out of a file. It comes from placeReaders.
type placeReader struct {
	buffer  *bufio.Reader
	inflate inflater
}

// placeReaders hold those that nobody uses: they are large.
var placeReaders = sync.Pool{New: func() any { return &placeReader{buffer: bufio.NewReaderSize(nil, 16<<10)} }}

// at reads the head of the object that begins at a place of a file of that size, and returns a reader of what follows, inflated.
func (p *placeReader) at(file io.ReaderAt, place, size int64) (head, io.Reader, error) {
	p.buffer.Reset(io.NewSectionReader(file, place, size-place))
	h, err := readHead(p.buffer, place)
	if err != nil {
		return h, nil, err
	}
	content, err := p.inflate.reader(p.buffer)
	return h, content, err
}
