package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// samplesAtOnce bounds how many containers are looked at at the same time.
const samplesAtOnce = 4

// An app is in a crash loop when the engine has restarted it so often within crashWindow. The engine waits a minute before a
// restart at most, so that a window holds several of them however long the loop lasts.
const (
	crashWindow   = 5 * time.Minute
	crashRestarts = 3
)

// Samples stores what a host saw of its previews.
type Samples interface {
	// PreviewsOn returns the previews that run on a host.
	PreviewsOn(ctx context.Context, host string) ([]deployment.Preview, error)
	// SaveSamples stores looks and returns those that are in a crash loop and were not at the look before.
	SaveSamples(ctx context.Context, samples []deployment.Sample) (began []deployment.Sample, err error)
}

// Usages looks at containers.
type Usages interface {
	// Usage looks at a container; runs is false for one that does not run, or is gone.
	Usage(ctx context.Context, container string) (u deployment.Usage, runs bool, err error)
}

// Sampler looks at the containers of one host's previews, again and again, so that a request for their figures asks no engine.
// Like Outputs it belongs to the host. It is used by one goroutine at a time.
type Sampler struct {
	Engine Usages
	Store  Samples
	Logs   LogWriter
	HostID string
	Log    *slog.Logger

	courses map[string]*course // by container
}

// Sample looks at every preview once and stores what it saw. A container that cannot be looked at keeps no other from it.
func (s *Sampler) Sample(ctx context.Context) error {
	previews, err := s.Store.PreviewsOn(ctx, s.HostID)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var samples []deployment.Sample
	var group errgroup.Group
	group.SetLimit(samplesAtOnce)
	errs := make([]error, len(previews))
	usages := make(map[string]deployment.Usage, len(previews))
	for i, p := range previews {
		group.Go(func() error {
			u, runs, err := s.Engine.Usage(ctx, p.Container)
			if errs[i] = err; runs {
				mu.Lock()
				defer mu.Unlock()
				usages[p.Container] = u
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	courses := make(map[string]*course, len(usages))
	for _, p := range previews {
		u, runs := usages[p.Container]
		if !runs {
			continue
		}
		c := s.courses[p.Container]
		if c == nil {
			c = newCourse(u)
		}
		courses[p.Container] = c
		samples = append(samples, c.take(p.DeploymentID, u))
	}
	s.courses = courses
	return errors.Join(append(errs, s.save(ctx, samples))...)
}

func (s *Sampler) save(ctx context.Context, samples []deployment.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	began, err := s.Store.SaveSamples(ctx, samples)
	for _, loop := range began {
		s.Log.Info("the app of a preview is in a crash loop", "deployment", loop.DeploymentID, "restarts", loop.Restarts)
		s.Logs.Append(loop.DeploymentID, deployment.LogLine{Step: deployment.StepApp, Stream: deployment.StreamSlipway, Text: crashWords(loop)})
	}
	return err
}

func crashWords(loop deployment.Sample) string {
	code := ""
	if loop.ExitCode != nil {
		code = fmt.Sprintf(", the last time with exit code %d", *loop.ExitCode)
	}
	return fmt.Sprintf("the app is in a crash loop: it has ended %d times%s; it is started again each time, after a wait of up to a minute", loop.Restarts, code)
}

// course is what was seen of a container so far.
type course struct {
	last  deployment.Usage
	marks []mark // in the last crashWindow, oldest first
}

// mark says how often a container had been restarted at a time.
type mark struct {
	at       time.Time
	restarts int
}

// newCourse begins with a container that was not seen before: unless it is new, nobody knows when it was restarted.
func newCourse(u deployment.Usage) *course {
	c := &course{}
	if u.At.Sub(u.MadeAt) < crashWindow {
		c.marks = []mark{{at: u.MadeAt}}
	}
	return c
}

// take turns a look into a sample.
func (c *course) take(deploymentID string, u deployment.Usage) deployment.Sample {
	if u.Restarts < c.last.Restarts { // slipway has started it anew, which counts from 0
		c.marks = []mark{{at: u.StartedAt}}
	}
	c.marks = append(c.marks, mark{u.At, u.Restarts})
	for u.At.Sub(c.marks[0].at) >= crashWindow {
		c.marks = c.marks[1:]
	}
	sample := deployment.Sample{
		DeploymentID: deploymentID, CPUCores: c.cores(u), MemoryBytes: u.MemoryBytes, MemoryLimit: u.MemoryLimit, PIDs: u.PIDs,
		Restarts: u.Restarts, StartedAt: &u.StartedAt, ExitCode: u.ExitCode, CrashLooping: u.Restarts-c.marks[0].restarts >= crashRestarts,
	}
	c.last = u
	return sample
}

// cores is how many cores the container used on average since the look before, or since it was started when that was later.
func (c *course) cores(u deployment.Usage) float64 {
	since, used := u.StartedAt, u.CPU
	if c.last.StartedAt.Equal(u.StartedAt) {
		since, used = c.last.At, u.CPU-c.last.CPU
	}
	if took := u.At.Sub(since); took > 0 && used > 0 {
		return used.Seconds() / took.Seconds()
	}
	return 0
}
