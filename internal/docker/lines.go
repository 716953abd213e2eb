package docker

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/internal/deployment"
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
// time stamp, a space and the text, which ends in a line break unless the line goes on in the next record. All records of a
// line have the same stamp.
type lineWriter struct {
	stream string
	line   func(deployment.OutputLine)
	read   deployment.OutputCursor // moved with each line; what it has passed is left out
	open   []byte                  // the line so far
	within bool                    // the next record goes on with it
	raw    time.Time               // its stamp as the engine has it
	at     time.Time               // its stamp, later than that of the line before
}

// Write takes one frame whole. It never fails.
func (w *lineWriter) Write(frame []byte) (int, error) {
	stamp, text, found := bytes.Cut(frame, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if !found || err != nil {
		at, text = w.raw, frame
	}
	if !w.within || !at.Equal(w.raw) {
		w.begin(at)
	}
	text, complete := bytes.CutSuffix(text, []byte("\n"))
	w.within = !complete
	if w.read.Passed(w.stream, w.at) {
		return len(frame), nil
	}
	// One byte more than a line may have is kept, so that bounded sees that it is too long.
	w.open = append(w.open, text[:min(len(text), maxLine+1-len(w.open))]...)
	if complete {
		w.emit()
	}
	return len(frame), nil
}

// begin ends a line that its process left without a line break, and notes the stamp of the next one. Stamps always rise, so
// that two lines of one moment, or of a clock that was set back, are told apart, in the same way each time they are read.
func (w *lineWriter) begin(at time.Time) {
	w.flush()
	w.raw = at
	if !at.After(w.at) {
		at = w.at.Add(time.Nanosecond)
	}
	w.at = at
}

// flush hands on a last line that has no line break.
func (w *lineWriter) flush() {
	if len(w.open) > 0 {
		w.emit()
	}
}

func (w *lineWriter) emit() {
	w.line(deployment.OutputLine{Stream: w.stream, Text: bounded(strings.TrimSuffix(string(w.open), "\r"), maxLine), At: w.at})
	w.read[w.stream] = w.at
	w.open = w.open[:0]
}
