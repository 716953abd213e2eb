package supervise

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

const (
	pollInterval = 10 * time.Millisecond
	killTimeout  = 5 * time.Second // for the kernel to end what was sent SIGKILL
)

// end asks leader to stop with sig, gives it timeout, and then kills what is left of it and its family until nothing is. A
// done ctx cuts the patience short, not the killing.
func end(ctx context.Context, leader process, mark string, sig syscall.Signal, timeout time.Duration) error {
	members, err := family(leader, mark)
	if err != nil {
		return err
	}
	if err := leader.signal(sig); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	waitGone(patience, leader)
	// What it started meanwhile, as long as it can be asked for its family.
	late, err := family(leader, mark)
	if err != nil {
		return err
	}
	return kill(append(append(members, late...), leader), mark)
}

// kill sends SIGKILL to members, and to all that carry mark, until none runs.
func kill(members []process, mark string) error {
	deadline := time.After(killTimeout)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		fresh, err := family(process{}, mark)
		if err != nil {
			return err
		}
		members = slices.DeleteFunc(append(members, fresh...), func(p process) bool { return !p.alive() })
		if len(members) == 0 {
			return nil
		}
		for _, p := range members {
			if err := p.signal(syscall.SIGKILL); err != nil {
				return err
			}
		}
		select {
		case <-deadline:
			return fmt.Errorf("process %d still runs %s after SIGKILL", members[0].PID, killTimeout)
		case <-ticker.C:
		}
	}
}

// waitGone returns when p no longer runs, or ctx is done. p may be no child of ours, so it cannot be waited for.
func waitGone(ctx context.Context, p process) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for p.alive() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
