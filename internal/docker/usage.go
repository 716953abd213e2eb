package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Usage looks at a container that runs, or that the engine is about to restart; of another one, or of one that is gone, runs is
// false. It does not wait for a second look as `docker stats` does: who looks again and again has the one before.
func (e *Engine) Usage(ctx context.Context, name string) (u deployment.Usage, runs bool, err error) {
	if err := e.connect(ctx); err != nil {
		return u, false, err
	}
	c, err := e.client.ContainerInspect(ctx, name)
	if errdefs.IsNotFound(err) || err == nil && !c.State.Running && !c.State.Restarting {
		return u, false, nil
	}
	if err == nil {
		u, err = e.usage(ctx, c)
	}
	if errdefs.IsNotFound(err) { // it ended between two calls
		return u, false, nil
	}
	return u, err == nil, e.failure(ctx, "look at container "+name, err)
}

func (e *Engine) usage(ctx context.Context, c container.InspectResponse) (deployment.Usage, error) {
	u := deployment.Usage{At: time.Now(), Restarts: c.RestartCount, MemoryLimit: c.HostConfig.Memory}
	var err error
	if u.MadeAt, err = time.Parse(time.RFC3339Nano, c.Created); err != nil {
		return u, fmt.Errorf("read when it was made: %w", err)
	}
	if u.StartedAt, err = time.Parse(time.RFC3339Nano, c.State.StartedAt); err != nil {
		return u, fmt.Errorf("read when it was started: %w", err)
	}
	if c.State.Restarting {
		u.ExitCode = &c.State.ExitCode
		return u, nil // it uses nothing
	}
	if c.RestartCount > 0 { // the code of the end before is gone from its state
		if u.ExitCode, err = e.lastExit(ctx, c); err != nil {
			return u, err
		}
	}
	stats, err := e.stats(ctx, c.ID)
	if err != nil {
		return u, err
	}
	u.At, u.CPU = time.Now(), time.Duration(stats.CPUStats.CPUUsage.TotalUsage)             //nolint:gosec // centuries
	u.MemoryBytes, u.PIDs = int64(inUse(stats.MemoryStats)), int64(stats.PidsStats.Current) //nolint:gosec // far below
	return u, nil
}

func (e *Engine) stats(ctx context.Context, id string) (stats container.StatsResponse, err error) {
	answer, err := e.client.ContainerStatsOneShot(ctx, id)
	if err != nil {
		return stats, err
	}
	defer func() { _ = answer.Body.Close() }()
	return stats, json.NewDecoder(answer.Body).Decode(&stats)
}

// inUse leaves out, as `docker stats` does, what the kernel keeps of files and drops when memory is short.
func inUse(m container.MemoryStats) uint64 {
	for _, name := range []string{"inactive_file", "total_inactive_file"} { // cgroup v2 and v1
		if dropped, ok := m.Stats[name]; ok && dropped < m.Usage {
			return m.Usage - dropped
		}
	}
	return m.Usage
}

// lastExit looks among the events that the engine remembers, a few hundred, for the last end of a container that runs again; nil
// when it is forgotten.
func (e *Engine) lastExit(ctx context.Context, c container.InspectResponse) (*int, error) {
	ended, err := time.Parse(time.RFC3339Nano, c.State.FinishedAt)
	if err != nil {
		return nil, fmt.Errorf("read when it ended: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	told, failed := e.client.Events(ctx, events.ListOptions{
		Since: stamp(ended.Add(-time.Second)), Until: stamp(ended.Add(time.Second)),
		Filters: filters.NewArgs(filters.Arg("container", c.ID), filters.Arg("event", string(events.ActionDie))),
	})
	var code *int
	for {
		select {
		case event := <-told:
			if n, err := strconv.Atoi(event.Actor.Attributes["exitCode"]); err == nil {
				code = &n
			}
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return code, err
		}
	}
}
