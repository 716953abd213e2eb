package activities

import (
	"errors"
	"strings"

	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// The bounds in bytes of a failure's texts, which go into a history: with deployment.MaxFailureLines they stay far below
// what Temporal takes in one event.
const (
	maxFailureMessage = 8 << 10
	maxFailureLine    = 2 << 10
)

// Hold keeps the secrets of a deployment in the log's mind until the returned function is called. Two attempts may run
// here at the same time, or one while its live container is followed, and the end of one must not uncover what the other
// prints.
func (r *Recorder) Hold(deploymentID string) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = map[string]int{}
	}
	r.held[deploymentID]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.held[deploymentID]--; r.held[deploymentID] == 0 {
			delete(r.held, deploymentID)
			r.Logs.Forget(deploymentID) // the next step names the secrets again
		}
	}
}

// redact removes secret values from a failure's texts, and bounds them, before they reach a history.
func (r *Recorder) redact(deploymentID string, err error) error {
	var app *sdktemporal.ApplicationError
	if !errors.As(err, &app) || !app.HasDetails() {
		return err
	}
	return failureError(redacted(r.Logs, deploymentID, Failure(err, "")))
}

// redacted takes the secrets of a deployment out of a failure, and bounds it.
func redacted(logs LogWriter, deploymentID string, f *deployment.Failure) *deployment.Failure {
	clean := *f
	clean.Message = bounded(logs.Redact(deploymentID, f.Message), maxFailureMessage)
	clean.Lines = nil
	for _, line := range f.Lines {
		clean.Lines = append(clean.Lines, bounded(logs.Redact(deploymentID, line), maxFailureLine))
	}
	return &clean
}

// bounded cuts text, after it was redacted, and marks the cut.
func bounded(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + " …"
}
