package metrics

import (
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Meter returns an OpenTelemetry meter for a library that tells its metrics to one, in seconds; a scrape shows them beside
// slipway's own. Call it once.
func (m *Metrics) Meter(library string) (metric.Meter, error) {
	exporter, err := prometheus.New(prometheus.WithRegisterer(m.registry), prometheus.WithoutScopeInfo(), prometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("export the metrics of %s: %w", library, err)
	}
	// OpenTelemetry's own buckets are for milliseconds.
	buckets := sdkmetric.NewView(sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram}, sdkmetric.Stream{
		Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: append(slices.Clip(requestBuckets), 30, 60, 300, 1800)},
	})
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(buckets)).Meter(library), nil
}
