package source

import (
	"bytes"
	"strings"
	"unicode"
)

// Bounds of what a server may write into a deployment's log.
const (
	maxProgressLines = 200
	maxProgressBytes = 500
)

// progressWriter turns a server's progress messages into lines. Counters that are overwritten in place (they end in a
// carriage return) are dropped: their last state follows as a whole line.
type progressWriter struct {
	line    func(string)
	pending []byte
	lines   int
}

// Write implements io.Writer and never fails.
func (w *progressWriter) Write(p []byte) (int, error) {
	w.pending = append(w.pending, p...)
	for {
		end := bytes.IndexAny(w.pending, "\r\n")
		if end < 0 {
			break
		}
		if w.pending[end] == '\n' {
			w.emit(string(w.pending[:end]))
		}
		w.pending = w.pending[end+1:]
	}
	if len(w.pending) > maxProgressBytes {
		w.pending = w.pending[:maxProgressBytes]
	}
	return len(p), nil
}

func (w *progressWriter) emit(text string) {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text))
	if text == "" || w.lines >= maxProgressLines {
		return
	}
	w.lines++
	if len(text) > maxProgressBytes {
		text = strings.ToValidUTF8(text[:maxProgressBytes], "")
	}
	w.line("remote: " + text)
}
