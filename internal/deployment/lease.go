package deployment

import "time"

// Wanted is whether what is live in an environment is to run.
type Wanted string

// A preview that is wanted running may be asleep.
const (
	WantedRunning Wanted = "running"
	WantedStopped Wanted = "stopped"
)

// PreviewLease says how long the live preview of an environment may run, and whether it is to.
type PreviewLease struct {
	EnvironmentID   string
	Wanted          Wanted
	Pinned          bool       // it neither sleeps nor expires
	ExpiresAt       *time.Time // nil: never
	WakeRequestedAt *time.Time // by a visitor, since it fell asleep
	Failure         *Failure   // why it could not be started again
	NextStartAt     *time.Time // when that is tried again by itself; nil: it is not
}

// Traffic is what the gateways answered for an environment since it was made. Requests are counted by the class of their status.
type Traffic struct {
	EnvironmentID string
	LastRequestAt time.Time
	Answered      [5]int64 // of 1xx, which are upgrades, to 5xx
}

// Sample is a host's newest look at the container of a preview.
type Sample struct {
	DeploymentID string
	At           time.Time
	CPUCores     float64 // used, on average since the look before
	MemoryBytes  int64
	MemoryLimit  int64 // bytes; 0 for none
	PIDs         int64
	Restarts     int // by the engine, since the container was made
	StartedAt    *time.Time
	ExitCode     *int // of the last end; nil when it has not ended
	CrashLooping bool // the engine had to restart it again and again lately
}

// Usage is a look at a container: what it uses now, and how it has fared.
type Usage struct {
	At          time.Time
	CPU         time.Duration // used since StartedAt, by all its cores
	MemoryBytes int64
	MemoryLimit int64 // bytes; 0 for none
	PIDs        int64
	Restarts    int // by the engine, since slipway started it
	MadeAt      time.Time
	StartedAt   time.Time // by the engine too
	ExitCode    *int      // of its last end, where the engine still knows it; nil when it has not ended
}
