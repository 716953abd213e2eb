package supervise

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// Spec describes a child process. Name, Path and LogFile are required.
type Spec struct {
	Name string   // unique in a Supervisor; names the owner file
	Path string   // executable, absolute
	Args []string // without the program's name
	Env  []string // NAME=value, the whole environment
	Dir  string   // working directory; empty for the supervisor's

	// Credential is the user and groups to run as; nil for the supervisor's.
	Credential *syscall.Credential

	// AmbientCaps are capabilities that the child keeps although Credential is not root.
	AmbientCaps []uintptr

	// CloneFlags and UnshareFlags give the child namespaces of its own (CLONE_NEWPID and the like).
	CloneFlags, UnshareFlags uintptr

	// Ready reports whether the child can be used; it is asked until it returns nil or ReadyTimeout (default a minute) is
	// over. A nil Ready means that a started child is ready.
	Ready        func(ctx context.Context) error
	ReadyTimeout time.Duration

	// StopSignal (default SIGTERM) asks the child to stop; after StopTimeout (default 10 s) it is killed.
	StopSignal  syscall.Signal
	StopTimeout time.Duration

	LogFile  string // output, appended
	LogLimit int64  // bytes of LogFile; three times as many are kept in LogFile.1 to .3. Default 10 MiB
}

// withDefaults fills in what was left open and checks the rest.
func (s Spec) withDefaults() (Spec, error) {
	if err := checkName(s.Name); err != nil {
		return s, err
	}
	if !filepath.IsAbs(s.Path) {
		return s, fmt.Errorf("executable %q: give an absolute path", s.Path)
	}
	if s.LogFile == "" {
		return s, fmt.Errorf("child %s: give a log file", s.Name)
	}
	s.ReadyTimeout = cmp.Or(s.ReadyTimeout, time.Minute)
	s.StopSignal = cmp.Or(s.StopSignal, syscall.SIGTERM)
	s.StopTimeout = cmp.Or(s.StopTimeout, 10*time.Second)
	s.LogLimit = cmp.Or(s.LogLimit, 10<<20)
	return s, nil
}

// Backoff says how long a child that exited stays down: Initial, doubled at every exit up to Max; a child that was ready
// for ResetAfter starts at Initial again.
type Backoff struct {
	Initial, Max, ResetAfter time.Duration
}

// DefaultBackoff waits one second, at most 30, and forgets after a minute.
func DefaultBackoff() Backoff {
	return Backoff{Initial: time.Second, Max: 30 * time.Second, ResetAfter: time.Minute}
}

// next returns the wait after one of prev (0 for the first exit), given how long the child was ready.
func (b Backoff) next(prev, ready time.Duration) time.Duration {
	if prev == 0 || ready >= b.ResetAfter {
		return b.Initial
	}
	return min(2*prev, b.Max)
}
