package activities

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxSpanName bounds the name of a span: a RUN instruction may be a whole script.
const maxSpanName = 120

// startSpan starts a span below the one of the running activity; without one it records nothing.
func startSpan(ctx context.Context, name string, options ...trace.SpanStartOption) trace.Span {
	_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("slipway").Start(ctx, name, options...)
	return span
}

// phases follows the phases of one attempt at a step: each is a span of the trace, and its duration is counted.
type phases struct {
	ctx   context.Context // of the activity
	step  deployment.StepName
	meter Meter

	mu    sync.Mutex
	phase deployment.Phase
	since time.Time
	span  trace.Span
}

// enter ends the phase that runs, if any, and begins the next; PhaseNone is no phase.
func (p *phases) enter(next deployment.Phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next == p.phase {
		return
	}
	if p.phase != deployment.PhaseNone {
		p.span.End()
		p.meter.PhaseEnded(p.step, p.phase, time.Since(p.since))
	}
	p.phase, p.since = next, time.Now()
	if next != deployment.PhaseNone {
		p.span = startSpan(p.ctx, string(p.step)+" "+string(next))
	}
}

// end ends the phase that runs, and returns it.
func (p *phases) end() deployment.Phase {
	p.mu.Lock()
	last := p.phase
	p.mu.Unlock()
	p.enter(deployment.PhaseNone)
	return last
}

// Vertex makes a span of a vertex that has ended, with the times that BuildKit tells.
func (t *tailSink) Vertex(v deployment.BuildVertex) {
	name := bounded(t.log.logs.Redact(t.log.attempt.DeploymentID, v.Name), maxSpanName)
	span := startSpan(t.ctx, name, trace.WithTimestamp(v.Started), trace.WithAttributes(attribute.Bool("buildkit.cached", v.Cached)))
	if v.Failed {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(v.Completed))
}

func (r *Recorder) meter() Meter {
	if r.Meter == nil {
		return unmetered{}
	}
	return r.Meter
}

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) QueueWaited(time.Duration) {}

func (unmetered) StepEnded(deployment.StepName, deployment.StepStatus, deployment.Class, time.Duration) {
}

func (unmetered) PhaseEnded(deployment.StepName, deployment.Phase, time.Duration) {}
