package docker

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLine is how many bytes of a line are handed on: a bound on memory, far above what is stored of one. Whoever stores
// lines, in a log or in a failure, cuts them after looking for secrets, which a cut here would hide from that look.
const (
	maxLine = 1 << 20
	cutMark = " … [cut]"
)

// bounded returns text as valid UTF-8 of at most limit bytes, marked where it was cut.
func bounded(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	end := limit - len(cutMark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark
}

// lineWriter turns the frames of one output stream into lines. The engine writes one frame per record of its log: a
// time stamp, a space and the text, which ends in a line break unless the line goes on in the next record.
type lineWriter struct {
	stream string
	line   func(stream, text string)
	last   *time.Time // the newest time stamp seen, shared by the streams of a container
	open   []byte     // the line so far
}

// Write takes one frame whole. It never fails.
func (w *lineWriter) Write(frame []byte) (int, error) {
	stamp, text, found := bytes.Cut(frame, []byte(" "))
	if at, err := time.Parse(time.RFC3339Nano, string(stamp)); found && err == nil {
		*w.last = at
	} else {
		text = frame
	}
	text, complete := bytes.CutSuffix(text, []byte("\n"))
	// One byte more than a line may have is kept, so that bounded sees that it is too long.
	w.open = append(w.open, text[:min(len(text), maxLine+1-len(w.open))]...)
	if complete {
		w.emit()
	}
	return len(frame), nil
}

// flush hands on a last line that has no line break.
func (w *lineWriter) flush() {
	if len(w.open) > 0 {
		w.emit()
	}
}

func (w *lineWriter) emit() {
	w.line(w.stream, bounded(strings.TrimSuffix(string(w.open), "\r"), maxLine))
	w.open = w.open[:0]
}
