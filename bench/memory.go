package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// programs are those whose memory is looked at. The processes of builds are the apps' own.
var programs = []string{"slipway-dev", "slipway-temporal", "postgres", "buildkitd"}

// atOnce is how many deploys run while memory is measured.
const atOnce = 8

// calm is how long slipway is left alone before its memory counts as that of one that is idle.
const calm = 10 * time.Second

// memory compares what the processes hold when nothing is done with what they hold while deploys run.
func (b *bench) memory(ctx context.Context) error {
	if err := b.restart(ctx, fmt.Sprintf("SLIPWAY_BUILD_SLOTS=%d", atOnce)); err != nil {
		return err
	}
	b.slipway.as = "memory"
	var apps []*app
	for n := range atOnce {
		source := b.apps[n%len(b.apps)]
		a, err := b.newApp(ctx, source, fmt.Sprintf("bench-memory-%d-%s", n, source))
		if err != nil {
			return err
		}
		if err := b.slipway.adopt(ctx, a); err != nil {
			return err
		}
		apps = append(apps, a)
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	idle, err := resident(b.dev.PID())
	if err != nil {
		return err
	}
	busy, err := b.peaks(ctx, func() error { _, err := b.measure(ctx, b.slipway, apps...); return err })
	if err != nil {
		return err
	}
	b.measures["memory"] = memoryTable(idle, busy)
	for _, a := range apps {
		if err := b.slipway.forget(ctx, a); err != nil {
			return err
		}
	}
	return b.restart(ctx)
}

// peaks returns the most that each program has held at a time while something is done.
func (b *bench) peaks(ctx context.Context, do func() error) (map[string]uint64, error) {
	done := make(chan error, 1)
	go func() { done <- do() }()
	clock := time.NewTicker(4 * tick)
	defer clock.Stop()
	most := map[string]uint64{}
	for {
		select {
		case err := <-done:
			return most, err
		case <-clock.C:
			now, err := resident(b.dev.PID())
			if err != nil {
				return nil, err
			}
			for name, bytes := range now {
				most[name] = max(most[name], bytes)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// resident returns how much memory the programs below a process hold, and it. Pages that several processes share are counted once.
func resident(root int) (map[string]uint64, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil { // else it has ended
			parents[p.PID] = stat.PPID
		}
	}
	held := map[string]uint64{}
	for _, p := range all {
		name, err := p.Executable()
		name = name[strings.LastIndexByte(name, '/')+1:]
		if err != nil || !slices.Contains(programs, name) || !below(parents, p.PID, root) {
			continue
		}
		if rollup, err := p.ProcSMapsRollup(); err == nil {
			held[name] += rollup.Pss
		}
	}
	return held, nil
}

func below(parents map[int]int, pid, root int) bool {
	for pid > 1 {
		if pid == root {
			return true
		}
		pid = parents[pid]
	}
	return false
}

func memoryTable(idle, busy map[string]uint64) string {
	var text strings.Builder
	fmt.Fprintf(&text, "| MiB | idle | %d deploys running |\n|---|---:|---:|\n", atOnce)
	for _, name := range programs {
		fmt.Fprintf(&text, "| %s | %d | %d |\n", name, idle[name]>>20, busy[name]>>20)
	}
	return text.String()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
