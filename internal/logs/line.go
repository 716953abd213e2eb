package logs

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxLine bounds the text of one line in bytes; what is longer is cut and marked.
const maxLine = 16 << 10

// clean turns what a command printed into lines that can be stored: redacted first, so that neither a cut nor a line
// break saves a secret from it.
func clean(line deployment.LogLine, r redactor, now time.Time) []deployment.LogLine {
	if line.Time.IsZero() {
		line.Time = now
	}
	text := strings.TrimRight(r.redact(line.Text), "\r\n")
	var lines []deployment.LogLine
	for part := range strings.SplitSeq(text, "\n") {
		line.Text = bounded(storable(strings.TrimSuffix(part, "\r")))
		lines = append(lines, line)
	}
	return lines
}

// storable makes text valid UTF-8 without NUL, as Postgres wants it. Nothing is taken out, so that no two halves of a
// secret meet.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func bounded(text string) string {
	if len(text) <= maxLine {
		return text
	}
	mark := fmt.Sprintf(" … [slipway: line cut, it had %d bytes]", len(text))
	end := maxLine - len(mark)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
