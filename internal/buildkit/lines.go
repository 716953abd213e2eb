package buildkit

import (
	"bytes"
	"strings"
)

// maxLine is how many bytes of a line are handed on: a bound on memory, far above what is stored of one. Whoever stores
// lines cuts them after looking for secrets, which a cut here would hide from that look; so the rest of a line that is
// longer still is left out, never made a line of its own.
const maxLine = 1 << 20

// lineSplitter turns a stream that arrives in pieces into lines. A progress bar, which redraws its line after a carriage
// return, gives one line: its last state.
type lineSplitter struct {
	drawn   []byte // what the last carriage return ended
	current []byte
}

// write takes a piece and returns the lines that it completes.
func (s *lineSplitter) write(piece []byte) []string {
	var lines []string
	for len(piece) > 0 {
		end := bytes.IndexAny(piece, "\r\n")
		if end < 0 {
			end = len(piece)
		}
		s.current = append(s.current, piece[:min(end, maxLine-len(s.current))]...)
		if end == len(piece) {
			break
		}
		if piece[end] == '\n' {
			lines = append(lines, s.take())
		} else if len(s.current) > 0 {
			s.drawn, s.current = s.current, nil
		}
		piece = piece[end+1:]
	}
	return lines
}

// rest returns what has no line end yet, as lines.
func (s *lineSplitter) rest() []string {
	if len(s.current) == 0 && len(s.drawn) == 0 {
		return nil
	}
	return []string{s.take()}
}

func (s *lineSplitter) take() string {
	line := s.current
	if len(line) == 0 {
		line = s.drawn
	}
	s.current, s.drawn = nil, nil
	return strings.ToValidUTF8(string(line), "�")
}
