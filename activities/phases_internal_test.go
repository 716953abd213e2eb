package activities

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// masking is a log that knows one secret.
type masking struct{ LogWriter }

func (masking) Redact(_, text string) string { return strings.ReplaceAll(text, "hunter2", "***") }

func TestSpans_OfPhasesAndVertices(t *testing.T) {
	t.Parallel()
	seen := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(seen))
	ctx, activity := provider.Tracer("").Start(t.Context(), "RunActivity:BuildImage")
	p := &phases{ctx: ctx, step: deployment.StepBuild, meter: unmetered{}}
	p.enter(deployment.PhaseSolve)
	p.enter(deployment.PhaseSolve) // a progress in the same phase
	sink := &tailSink{ctx: ctx, log: stepLog{logs: masking{}}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sink.Vertex(deployment.BuildVertex{Name: "[1/2] RUN login hunter2", Started: at, Completed: at.Add(time.Minute), Cached: true})
	sink.Vertex(deployment.BuildVertex{Name: "[2/2] RUN " + strings.Repeat("x", 500), Started: at, Completed: at, Failed: true})
	p.enter(deployment.PhasePush)
	p.enter(deployment.PhaseNone)
	activity.End()

	spans := seen.Ended()
	var names []string
	for _, s := range spans {
		names = append(names, s.Name())
		if s.Name() != "RunActivity:BuildImage" {
			require.Equal(t, activity.SpanContext().SpanID(), s.Parent().SpanID(), s.Name())
		}
	}
	require.Equal(t, []string{"[1/2] RUN login ***", spans[1].Name(), "build solve", "build push", "RunActivity:BuildImage"}, names)
	require.Equal(t, at, spans[0].StartTime())
	require.Equal(t, at.Add(time.Minute), spans[0].EndTime())
	require.Less(t, len(spans[1].Name()), 130)
	require.Equal(t, codes.Error, spans[1].Status().Code)
}

// Without a trace nothing is recorded, and nothing breaks.
func TestSpans_WithoutATrace(t *testing.T) {
	t.Parallel()
	span := startSpan(context.Background(), "x")
	require.False(t, span.IsRecording())
	span.End()
}
