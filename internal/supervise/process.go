package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"
)

// process is one process of this boot. Start, in clock ticks since boot, tells it from others that are given the same pid;
// unlike the wall-clock time that tools derive from it, it does not change when the clock is set.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start_ticks"`
}

// alive reports whether p still runs. A zombie does not.
func (p process) alive() bool {
	st, ok := stat(p.PID)
	return ok && st.Starttime == p.Start
}

// signal sends sig to p and to nobody who took its pid: the handle is opened before the start time is compared.
func (p process) signal(sig os.Signal) error {
	if !p.alive() {
		return nil
	}
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	if !p.alive() {
		return nil
	}
	if err := handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", sig, p.PID, err)
	}
	return nil
}

// find returns the process that has pid now; ok is false when none runs.
func find(pid int) (p process, ok bool) {
	st, ok := stat(pid)
	return process{PID: pid, Start: st.Starttime}, ok
}

// stat reads /proc/<pid>/stat; ok is false for no process and for a zombie.
func stat(pid int) (st procfs.ProcStat, ok bool) {
	if pid <= 0 {
		return st, false
	}
	p, err := procfs.NewProc(pid)
	if err != nil {
		return st, false
	}
	st, err = p.Stat()
	return st, err == nil && st.State != "Z" && st.State != "X"
}

// family returns the processes that belong to leader: its descendants, those of its group and session, and all that carry
// mark in their environment, wherever they moved. leader itself is left out. A leader that is gone has only marked ones.
func family(leader process, mark string) ([]process, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	leads := leader.alive()
	stats := map[int]procfs.ProcStat{}
	for _, p := range all {
		if st, ok := stat(p.PID); ok {
			stats[p.PID] = st
		}
	}
	var members []process
	for _, p := range all {
		st, ok := stats[p.PID]
		if !ok || p.PID == leader.PID || p.PID == os.Getpid() {
			continue
		}
		related := leads && (st.PGRP == leader.PID || st.Session == leader.PID || descends(stats, p.PID, leader.PID))
		if related || marked(p, mark) {
			members = append(members, process{PID: p.PID, Start: st.Starttime})
		}
	}
	return members, nil
}

// descends walks up from pid to ancestor.
func descends(stats map[int]procfs.ProcStat, pid, ancestor int) bool {
	for range len(stats) { // a tree that changes under the walk may show a loop
		st, ok := stats[pid]
		if !ok || st.PPID == 0 {
			return false
		}
		if st.PPID == ancestor {
			return true
		}
		pid = st.PPID
	}
	return false
}

// marked reports whether the process was started with mark in its environment.
func marked(p procfs.Proc, mark string) bool {
	if mark == "" {
		return false
	}
	environ, err := p.Environ()
	if err != nil {
		return false // gone, or of a user whom we may not look at: not ours
	}
	return slices.Contains(environ, markVariable+"="+mark)
}

// bootID names this boot of the machine: pids and start times mean nothing in another.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
