package buildkit

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Steps are the commands that a daemon of this machine runs for builds, each in a cgroup of its own below the daemon's. It is safe for
// concurrent use; a nil *Steps is that of a daemon which runs elsewhere.
type Steps struct {
	parent string // of the cgroups

	mu    sync.Mutex
	ended time.Time // when the last one was ended
}

// Steps returns the commands of the daemon's builds.
func (c DaemonConfig) Steps() *Steps { return &Steps{parent: c.cgroup()} }

// step is a command that runs.
type step struct {
	pids    []int
	written uint64
}

// EndLargest ends the command that has written most to disks, and reports whether any was running. Its build fails, and the daemon then
// gives back what the command has written.
func (s *Steps) EndLargest() bool {
	var largest *step
	for _, found := range s.running() {
		if largest == nil || found.written > largest.written {
			largest = found
		}
	}
	if largest == nil {
		return false
	}
	s.mu.Lock()
	s.ended = time.Now() // first: the build may hear of it before the last signal is sent
	s.mu.Unlock()
	for _, pid := range largest.pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one that has ended meanwhile has done what it was to do
	}
	return true
}

// shortly is how long after its command was ended a build fails at most.
const shortly = 10 * time.Second

// endedLately tells whether a command was ended just now.
func (s *Steps) endedLately() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.ended) < shortly
}

// running lists what runs now by the names of the cgroups: v2 has one hierarchy, v1 one below each controller's folder.
func (s *Steps) running() map[string]*step {
	steps := map[string]*step{}
	for _, pattern := range []string{cgroupRoot, filepath.Join(cgroupRoot, "*")} {
		groups, _ := filepath.Glob(filepath.Join(pattern, s.parent, "buildkit", "*", "cgroup.procs")) // the pattern is a good one
		for _, file := range groups {
			name := filepath.Base(filepath.Dir(file))
			if steps[name] != nil {
				continue
			}
			if pids := pidsIn(file); len(pids) > 0 {
				steps[name] = &step{pids: pids, written: written(pids)}
			}
		}
	}
	return steps
}

func pidsIn(file string) (pids []int) {
	data, _ := os.ReadFile(file) // of one that has ended meanwhile there is nothing
	for field := range strings.FieldsSeq(string(data)) {
		var pid int
		if _, err := fmt.Sscan(field, &pid); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// written adds up what processes, and those of their children that have ended, have written to disks.
func written(pids []int) (sum uint64) {
	for _, pid := range pids {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid)) // likewise
		lines := bufio.NewScanner(bytes.NewReader(data))
		for lines.Scan() {
			var n uint64
			if _, err := fmt.Sscanf(lines.Text(), "write_bytes: %d", &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}
