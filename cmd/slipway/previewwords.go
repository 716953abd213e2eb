package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

// addressOf is where a preview is reached: by its environment's name while it is live there.
func addressOf(p client.Preview) string {
	if p.Live {
		return p.Environment.URL
	}
	return p.URL
}

// stateWords is the condition of a preview, where it says more than its state.
func stateWords(p client.Preview) string {
	switch {
	case !p.Live:
		return replaced
	case text(p.Condition) == string(words.ConditionCrashLooping):
		return crashLooping
	default:
		return orElse(text(p.Condition), string(p.State))
	}
}

// stateNow is stateWords with the time until one that did not come up is tried again.
func (c *cli) stateNow(p client.Preview) string {
	state := stateWords(p)
	if p.NextAttemptAt != nil && p.NextAttemptAt.After(c.now()) {
		state += ", next in " + took(p.NextAttemptAt.Sub(c.now()))
	}
	return state
}

// What people read of a preview where the API has other words.
const (
	crashLooping = "crash looping"
	replaced     = "replaced"
)

func idleWords(seconds *int64) string {
	if seconds == nil {
		return ""
	}
	return took(time.Duration(*seconds) * time.Second)
}

// cpuWords and memoryWords say nothing of a container that does not run now.
func cpuWords(u *client.PreviewUsage) string {
	if u == nil || !u.Current {
		return ""
	}
	return fmt.Sprintf("%.2f", u.CPUCores)
}

const mib = 1 << 20

func memoryWords(u *client.PreviewUsage) string {
	if u == nil || !u.Current {
		return ""
	}
	return memoryOf(*u)
}

func memoryOf(u client.PreviewUsage) string {
	used := fmt.Sprintf("%d MB", u.MemoryBytes/mib)
	if u.MemoryLimitBytes == nil {
		return used
	}
	return fmt.Sprintf("%s of %d", used, *u.MemoryLimitBytes/mib)
}

func (c *cli) expiresWords(p client.Preview) string {
	switch {
	case !p.Live:
		return ""
	case p.Pinned:
		return "pinned"
	case p.ExpiresAt == nil:
		return "never"
	case p.ExpiresAt.Before(c.now()):
		return "over"
	default:
		return "in " + took(p.ExpiresAt.Sub(c.now()))
	}
}

// addUsage adds the newest look at a container, and says when it was.
func (p *pairs) addUsage(c *cli, u *client.PreviewUsage) {
	if u == nil {
		return
	}
	seen := c.stamp(&u.SampledAt)
	if !u.Current {
		seen += ", not since: it does not run, or its host is away"
	}
	p.add("looked at", seen)
	p.add("cpu", fmt.Sprintf("%.2f cores", u.CPUCores))
	p.add("memory", memoryOf(*u))
	p.add("processes", strconv.FormatInt(u.Pids, 10))
	restarts := strconv.Itoa(u.Restarts)
	if u.LastExitCode != nil {
		restarts += fmt.Sprintf(", the last time after exit code %d", *u.LastExitCode)
	}
	p.add("restarts", restarts)
	p.add("runs since", c.stamp(u.StartedAt))
}
