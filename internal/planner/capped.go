package planner

import "bytes"

// cappedBuffer keeps the first max bytes and calls full once when more come. It goes on accepting, so that the writer is
// not stopped by a broken pipe before its whole group is. The buffer is a field rather than embedded: io.Copy would find
// its ReadFrom and go past the cap.
type cappedBuffer struct {
	kept       bytes.Buffer
	max        int
	full       func()
	overflowed bool
}

func (b *cappedBuffer) Write(p []byte) (int, error) {
	room := b.max - b.kept.Len()
	b.kept.Write(p[:min(len(p), room)])
	if len(p) > room && !b.overflowed {
		b.overflowed = true
		if b.full != nil {
			b.full()
		}
	}
	return len(p), nil
}

func (b *cappedBuffer) Bytes() []byte  { return b.kept.Bytes() }
func (b *cappedBuffer) String() string { return b.kept.String() }
