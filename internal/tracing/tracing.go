// Package tracing sends traces to an OTLP collector. One trace leads from the REST request through the workflow and its
// activities to the vertices of BuildKit and the readiness of the preview.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Options say who traces, and where to.
type Options struct {
	Endpoint string // base URL of an OTLP collector that speaks HTTP, e.g. http://127.0.0.1:4318
	Service  string
	Version  string
	Log      *slog.Logger
}

// Start returns a provider of tracers that sends to the collector in the background; Shutdown of it sends what is left. A
// collector that is away loses spans and holds nothing up. What OTEL_EXPORTER_OTLP_HEADERS and its like say is heeded.
func Start(ctx context.Context, o Options) (*sdktrace.TracerProvider, error) {
	target, err := url.JoinPath(o.Endpoint, "v1", "traces")
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", o.Endpoint, err)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target))
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", o.Endpoint, err)
	}
	// The exporter tells of spans that it could not send to this handler alone.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("traces are not sent", "error", err) }))
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", o.Service), attribute.String("service.version", o.Version),
	))), nil
}
