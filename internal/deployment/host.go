package deployment

import "time"

// Host is a machine with a worker that builds or runs previews.
type Host struct {
	ID          string     `json:"id"`
	Roles       []string   `json:"roles"` // build, preview
	Alive       bool       `json:"alive"` // it was seen lately
	LastSeenAt  *time.Time `json:"last_seen_at"`
	Slots       int        `json:"slots"`                  // builds at the same time
	SlotsUsed   int        `json:"slots_used"`             // by builds that hold one now
	SlotsClosed string     `json:"slots_closed,omitempty"` // why it gives none of its free slots away; empty while it does
	Previews    int        `json:"previews"`               // that are to run on it
	FreeMemory  int64      `json:"free_memory"`            // bytes that it could give when it was seen last; 0 when that is not known
	Things      int        `json:"things"`                 // rows of the ledger that name it
}

// ForgottenHost is what was given up with a host that is gone for good.
type ForgottenHost struct {
	Known  bool         // there was something to give up
	Things int          // rows of the ledger
	Lost   []Deployment // that were live on it, with what names them and their image alone
}
