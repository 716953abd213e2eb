package roles

import (
	"context"
	"io"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// NewLogger returns a process's logger. Whatever concerns a deployment carries its id as `deployment`.
func NewLogger(c config.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(&aboutDeployment{Handler: slog.NewJSONHandler(w, options)})
	}
	return slog.New(&aboutDeployment{Handler: slog.NewTextHandler(w, options)})
}

const (
	keyDeployment = "deployment"
	keyWorkflow   = "WorkflowID" // of Temporal's SDK
)

// aboutDeployment adds to a record what its context knows of the deployment and the trace. Temporal's SDK has no context
// to log with, but names the workflow, whose id is the deployment's.
type aboutDeployment struct {
	slog.Handler
	known bool // an attribute names the deployment already
}

// Handle implements slog.Handler.
func (h *aboutDeployment) Handle(ctx context.Context, r slog.Record) error {
	known, id := h.known, deployment.IDFrom(ctx)
	r.Attrs(func(a slog.Attr) bool {
		known = known || a.Key == keyDeployment
		if named, ok := deploymentOf(a); ok {
			id = named
		}
		return !known
	})
	r = r.Clone()
	if !known && id != "" {
		r.AddAttrs(slog.String(keyDeployment, id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *aboutDeployment) WithAttrs(attrs []slog.Attr) slog.Handler {
	known := h.known
	for _, a := range attrs {
		id, ok := deploymentOf(a)
		if ok && !known {
			attrs = append(slices.Clip(attrs), slog.String(keyDeployment, id))
		}
		known = known || ok || a.Key == keyDeployment
	}
	return &aboutDeployment{Handler: h.Handler.WithAttrs(attrs), known: known}
}

// WithGroup implements slog.Handler.
func (h *aboutDeployment) WithGroup(name string) slog.Handler {
	return &aboutDeployment{Handler: h.Handler.WithGroup(name), known: h.known}
}

// deploymentOf returns the deployment whose workflow an attribute names.
func deploymentOf(a slog.Attr) (id string, ok bool) {
	if a.Key != keyWorkflow {
		return "", false
	}
	workflow := a.Value.String()
	return temporal.DeploymentOf(workflow), temporal.IsDeployWorkflow(workflow)
}
