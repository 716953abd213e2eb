package temporal

import (
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// MetricsHandler lets Temporal's SDK tell its metrics, whose names begin with temporal_, to a meter.
func MetricsHandler(meter metric.Meter, log *slog.Logger) sdkclient.MetricsHandler {
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: meter, UseMonotonicCounters: true,
		OnError: func(err error) { log.Warn("metric of the Temporal SDK", "error", err) },
	})
}
