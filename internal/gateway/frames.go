package gateway

import "encoding/binary"

const opClose = 8

// goingAway is a Close frame of a server with code 1001 and no reason (RFC 6455, 5.5.1 and 7.4.1).
var goingAway = []byte{0x80 | opClose, 2, 1001 >> 8, 1001 & 0xff}

// frames follows the frames of one direction of a WebSocket (RFC 6455, 5.2).
type frames struct {
	header []byte // of the frame that begins, as far as it has come
	left   uint64 // bytes of its payload that are still to come
	closed bool   // it is, or was, a Close frame
}

// between reports whether a frame may be put in here.
func (f *frames) between() bool { return len(f.header) == 0 && f.left == 0 }

// feed follows p and returns how many bytes of it; with toEnd no further than to the end of a frame.
func (f *frames) feed(p []byte, toEnd bool) (n int) {
	for n < len(p) {
		if f.left > 0 {
			step := min(f.left, uint64(len(p)-n))
			f.left -= step
			n += int(step) //nolint:gosec // at most len(p)
		} else {
			f.header = append(f.header, p[n])
			n++
			f.begin()
		}
		if toEnd && f.between() {
			break
		}
	}
	return n
}

// begin reads the header once it is whole.
func (f *frames) begin() {
	if len(f.header) < 2 {
		return
	}
	length, size := f.header[1]&0x7f, 2
	switch length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	extended := f.header[2:min(size, len(f.header))]
	if f.header[1]&0x80 != 0 { // masked, as all that visitors say
		size += 4
	}
	if len(f.header) < size {
		return
	}
	switch length {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(extended))
	case 127:
		f.left = binary.BigEndian.Uint64(extended)
	default:
		f.left = uint64(length)
	}
	f.closed = f.closed || f.header[0]&0x0f == opClose
	f.header = f.header[:0]
}
