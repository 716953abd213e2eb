package metrics

import (
	"fmt"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// SDK returns what Temporal's SDK tells its own metrics to; they begin with temporal_. Call it once.
func (m *Metrics) SDK(log *slog.Logger) (sdkclient.MetricsHandler, error) {
	exporter, err := prometheus.New(prometheus.WithRegisterer(m.registry), prometheus.WithoutScopeInfo(), prometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("export the SDK's metrics: %w", err)
	}
	// The SDK's buckets are in milliseconds by default, its values in seconds.
	buckets := sdkmetric.NewView(sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram}, sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: append(slices.Clip(requestBuckets), 30, 60, 300, 1800)},
	})
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(buckets))
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: provider.Meter("temporal-sdk-go"), UseMonotonicCounters: true,
		OnError: func(err error) { log.Warn("metric of the Temporal SDK", "error", err) },
	}), nil
}
