package deployment

import (
	"strings"
	"time"
)

// Undone is one line of a cancel's receipt: a thing that was ended or removed, and that was not found when somebody looked
// for it afterwards.
type Undone struct {
	Kind   ResourceKind `json:"kind"`
	Name   string       `json:"name"`
	Host   string       `json:"host,omitempty"`
	RunID  string       `json:"run_id"`
	TookMS int64        `json:"took_ms"` // from the beginning of its removal until it was seen to be gone
	GoneAt time.Time    `json:"gone_at"`
}

// UndoneSolve is the kind of a build that was ended. The ledger has no such rows, since a solve ends with its activity.
const UndoneSolve ResourceKind = "solve"

// String says it in a few words.
func (u Undone) String() string {
	switch u.Kind {
	case UndoneSolve:
		return "solve " + u.Name + " ended"
	case ResourceLease:
		return "build slot of " + u.Host + " given back"
	default:
		return string(u.Kind) + " " + u.Name + " removed"
	}
}

// Receipt is what a cancel undid, in the order in which it was seen to be gone.
type Receipt []Undone

// String is the receipt in one line, empty when nothing was made that had to be undone.
func (r Receipt) String() string {
	lines := make([]string, len(r))
	for i, u := range r {
		lines[i] = u.String()
	}
	return strings.Join(lines, ", ")
}
