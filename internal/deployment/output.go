package deployment

import "time"

// StepApp stands in the log in the place of a step, on what an app prints once its deploy is over. It is no step.
const StepApp = "app"

// OutputLine is one line that a preview's container printed.
type OutputLine struct {
	Stream string // StreamStdout or StreamStderr
	Text   string
	At     time.Time // the engine's stamp of the line; it rises within a stream, and only there
}

// OutputCursor says how far the output of a container was read: the stamp of the last line of each stream.
type OutputCursor map[string]time.Time

// Passed reports whether the line was read before.
func (c OutputCursor) Passed(stream string, at time.Time) bool {
	read, any := c[stream]
	return any && !at.After(read)
}

// Latest returns the latest stamp of any stream, the zero time when nothing was read.
func (c OutputCursor) Latest() (latest time.Time) {
	for _, at := range c {
		if at.After(latest) {
			latest = at
		}
	}
	return latest
}
