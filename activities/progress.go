package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// progressGate thins out what is written of a progress that changes with every line.
type progressGate struct {
	mu    sync.Mutex
	phase deployment.Phase
	last  time.Time
}

// pass reports whether p begins another phase, and whether enough time has gone by to write a mere percentage.
func (g *progressGate) pass(p deployment.Progress, now time.Time) (changed, due bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.Phase != g.phase {
		g.phase, g.last = p.Phase, now
		return true, true
	}
	if now.Sub(g.last) < time.Second {
		return false, false
	}
	g.last = now
	return false, true
}

type attemptKey struct{}

// attemptOf returns the attempt that the recorder put around the running activity.
func attemptOf(ctx context.Context) StepAttempt {
	a, _ := ctx.Value(attemptKey{}).(StepAttempt)
	return a
}

// enter tells that the step's next phase begins.
func enter(ctx context.Context, phase deployment.Phase) {
	pulseOf(ctx).change(func(b *Beat) { b.Progress = deployment.Progress{Phase: phase} })
}

// stepLog writes a step's lines to the deployment's log.
type stepLog struct {
	logs    LogWriter
	attempt StepAttempt
}

// logOf returns the log of the running activity.
func logOf(ctx context.Context, logs LogWriter) stepLog { return logFrom(logs, attemptOf(ctx)) }

func logFrom(logs LogWriter, a StepAttempt) stepLog { return stepLog{logs: logs, attempt: a} }

// say writes a line of slipway's own.
func (l stepLog) say(format string, args ...any) {
	l.line(deployment.StreamSlipway, fmt.Sprintf(format, args...))
}

// warn writes a warning and what to do about it.
func (l stepLog) warn(w deployment.Warning) {
	l.say("%s", w)
	if w.Fix != "" {
		l.say("  fix: %s", w.Fix)
	}
}

// printed writes a line that a preview's container printed, unless it is stored already.
func (l stepLog) printed(container string, line deployment.OutputLine) {
	l.logs.Append(l.attempt.DeploymentID, deployment.LogLine{
		Time: line.At, Step: l.attempt.Step, Attempt: l.attempt.Attempt, Stream: line.Stream, Text: line.Text, Container: container,
	})
}

// line writes a line that something printed.
func (l stepLog) line(stream, text string) {
	l.logs.Append(l.attempt.DeploymentID, deployment.LogLine{
		Time: time.Now().UTC(), Step: l.attempt.Step, Attempt: l.attempt.Attempt, Stream: stream, Text: text,
	})
}
