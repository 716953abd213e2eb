package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var (
	builderUpDesc     = prometheus.NewDesc("slipway_builder_up", "1 while a buildkitd of this worker answers, 0 while builds go to others.", []string{"address"}, nil)
	builderBuildsDesc = prometheus.NewDesc("slipway_builder_builds", "Builds of this worker that run on a buildkitd.", []string{"address"}, nil)
)

// Builders adds what a worker knows of its builders.
func (m *Metrics) Builders(status func() []deployment.BuilderStatus) {
	m.registry.MustRegister(builders(status))
}

type builders func() []deployment.BuilderStatus

// Describe implements prometheus.Collector.
func (builders) Describe(ch chan<- *prometheus.Desc) {
	ch <- builderUpDesc
	ch <- builderBuildsDesc
}

// Collect implements prometheus.Collector.
func (b builders) Collect(ch chan<- prometheus.Metric) {
	for _, s := range b() {
		up := 0.0
		if s.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(builderUpDesc, prometheus.GaugeValue, up, s.Address)
		ch <- prometheus.MustNewConstMetric(builderBuildsDesc, prometheus.GaugeValue, float64(s.Builds), s.Address)
	}
}
