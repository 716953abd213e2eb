package roles

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/metrics"
	"github.com/slipway-dev/slipway/internal/ops"
	"github.com/slipway-dev/slipway/internal/tracing"
)

// Telemetry is what a process tells its operators: metrics, traces, and what it depends on.
type Telemetry struct {
	Metrics *metrics.Metrics
	Ops     *ops.Server
	tracing *sdktrace.TracerProvider // nil without an endpoint
	ended   chan struct{}            // closed when Ops serves no more; nil when it never did
	stop    context.CancelFunc
}

// StartTelemetry serves operators, unless the configuration says nowhere, and sends traces if it says where to. service
// is the name of the process in both.
func StartTelemetry(ctx context.Context, c config.Telemetry, service, version string, log *slog.Logger) (*Telemetry, error) {
	m := metrics.New(version)
	t := &Telemetry{Metrics: m, Ops: &ops.Server{Version: version, Metrics: m.Handler()}, stop: func() {}}
	if c.OTLPEndpoint != "" {
		var err error
		t.tracing, err = tracing.Start(ctx, tracing.Options{Endpoint: c.OTLPEndpoint, Service: service, Version: version, Log: log})
		if err != nil {
			return nil, err
		}
	}
	if c.OpsAddr == "" {
		return t, nil
	}
	listener, err := Listen(ctx, c.OpsAddr)
	if err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}
	t.serve(ctx, listener, log)
	return t, nil
}

// serve outlives ctx until Close: a process that drains is still watched.
func (t *Telemetry) serve(ctx context.Context, l net.Listener, log *slog.Logger) {
	ctx, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	t.ended = make(chan struct{})
	go func() {
		defer close(t.ended)
		if err := t.Ops.Serve(ctx, l); err != nil {
			log.Error("operators are not served any more", "error", err)
		}
	}()
	log.Info("metrics and readiness are served", "addr", l.Addr())
}

// Tracer returns what slipway's own spans are made with.
func (t *Telemetry) Tracer() trace.Tracer {
	if t.tracing == nil {
		return noop.NewTracerProvider().Tracer("")
	}
	return t.tracing.Tracer("slipway")
}

// interceptors carry the trace through Temporal: in headers of workflows and activities.
func (t *Telemetry) interceptors() ([]interceptor.ClientInterceptor, error) {
	if t.tracing == nil {
		return nil, nil
	}
	carrier, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{Tracer: t.Tracer(), DisableBaggage: true})
	if err != nil {
		return nil, err
	}
	return []interceptor.ClientInterceptor{carrier}, nil
}

// Close sends the spans that are left and stops serving, also when ctx has ended: that is when it is called.
func (t *Telemetry) Close(ctx context.Context) error {
	t.stop()
	if t.ended != nil {
		<-t.ended
	}
	if t.tracing == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return t.tracing.Shutdown(ctx)
}
