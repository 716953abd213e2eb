package deployment

import "cmp"

// Resources bound one preview container. CPUs and memory have columns of their own; the rest is stored as JSON.
type Resources struct {
	CPUs         float64 `json:"cpus,omitempty"`
	MemoryMB     int     `json:"memory_mb,omitempty"`      // without swap
	PIDs         int     `json:"pids,omitempty"`           // processes and threads
	DiskMB       int     `json:"disk_mb,omitempty"`        // that it may write, beyond its image; 0 for no bound
	LogMB        int     `json:"log_mb,omitempty"`         // of output that the engine keeps; slipway's own log has its own bound
	OpenFiles    int     `json:"open_files,omitempty"`     // of one process; 0 for as many as the engine gives
	ReadOnlyRoot bool    `json:"read_only_root,omitempty"` // it may write to /tmp alone, which is memory
}

// Defaults of a project's resources.
const (
	DefaultCPUs     = 0.5
	DefaultMemoryMB = 512
	DefaultPIDs     = 512
	DefaultLogMB    = 30
)

// WithDefaults returns r with every bound that was left empty filled in.
func (r Resources) WithDefaults() Resources {
	return r.over(Resources{
		CPUs: DefaultCPUs, MemoryMB: DefaultMemoryMB, PIDs: DefaultPIDs, LogMB: DefaultLogMB,
	})
}

// over returns r with every bound that was left empty taken from another.
func (r Resources) over(other Resources) Resources {
	return Resources{
		CPUs: cmp.Or(r.CPUs, other.CPUs), MemoryMB: cmp.Or(r.MemoryMB, other.MemoryMB), PIDs: cmp.Or(r.PIDs, other.PIDs),
		DiskMB: cmp.Or(r.DiskMB, other.DiskMB), LogMB: cmp.Or(r.LogMB, other.LogMB), OpenFiles: cmp.Or(r.OpenFiles, other.OpenFiles),
		ReadOnlyRoot: r.ReadOnlyRoot || other.ReadOnlyRoot,
	}
}

// ResourcesIn returns what bounds the project's preview in an environment.
func (p Project) ResourcesIn(environment string) Resources {
	if EnvironmentKindOf(environment) == KindProduction {
		return p.Resources
	}
	return p.PreviewResources.over(p.Resources)
}

// validate checks the bounds that are given; one that is left empty is no fault.
func (r Resources) validate(field string) []*FieldError {
	faults := []*FieldError{
		bounded(field+".memory_mb", r.MemoryMB, 16, 1<<20), bounded(field+".pids", r.PIDs, 16, 1<<22), bounded(field+".disk_mb", r.DiskMB, 16, 1<<24),
		bounded(field+".log_mb", r.LogMB, 1, 1<<16), bounded(field+".open_files", r.OpenFiles, 64, 1<<20),
	}
	if r.CPUs != 0 && (r.CPUs < 0.01 || r.CPUs > 512) {
		faults = append(faults, fieldError(field+".cpus", "give a number from 0.01 to 512", "is %v", r.CPUs))
	}
	return faults
}

// bounded is inRange for what may be left out.
func bounded(field string, n, lowest, highest int) *FieldError {
	if n == 0 {
		return nil
	}
	return inRange(field, n, lowest, highest)
}
