package main

import (
	"bufio"
	"io"
	"iter"
	"strings"
)

// maxEvent is the longest line of an event stream that is read: a log line of 16 KiB with every character escaped fits.
const maxEvent = 1 << 20

// message is one event of a text/event-stream.
type message struct{ event, data string }

// messages reads a text/event-stream to its end. Ids are left out: the data holds them. An event that the connection's end cut
// off is not given, as the standard asks; io.EOF is not given as an error.
func messages(stream io.Reader) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		lines := bufio.NewScanner(stream)
		lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
		var m message
		var data []string
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case lines.Text() == "" && data != nil:
				m.data = strings.Join(data, "\n")
				if !yield(m, nil) {
					return
				}
				m, data = message{}, nil
			case field == "event":
				m.event = value
			case field == "data":
				data = append(data, value)
			}
		}
		if err := lines.Err(); err != nil {
			yield(message{}, err)
		}
	}
}
