package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Source counts what the installation has.
type Source interface {
	Census(ctx context.Context) (deployment.Census, error)
}

// A scrape waits for Postgres at most censusTimeout, and asks it at most once in censusAge, however many scrape.
const (
	censusTimeout = 3 * time.Second
	censusAge     = 5 * time.Second
)

// Count adds the metrics that only the database knows: they are the same whichever process is asked.
func (m *Metrics) Count(source Source) { m.registry.MustRegister(&census{source: source}) }

var (
	deploymentsDesc = prometheus.NewDesc("slipway_deployments", "Deployments by status.", []string{"status"}, nil)
	previewsDesc    = prometheus.NewDesc("slipway_previews", "Previews by state.", []string{"state"}, nil)
	slotsDesc       = prometheus.NewDesc("slipway_build_slots", "Build slots of the hosts that were seen lately; closed are those that would be free if the host gave any away.", []string{"host", "state"}, nil)
	queuedDesc      = prometheus.NewDesc("slipway_oldest_queued_seconds", "Time since the turn came of the deployment that has been queued longest, 0 for none. One that waits for its turn in its environment does not count.", nil, nil)
)

type census struct {
	source Source

	mu    sync.Mutex
	taken time.Time
	last  deployment.Census
}

// Describe implements prometheus.Collector.
func (c *census) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{deploymentsDesc, previewsDesc, slotsDesc, queuedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Statuses that no deployment has are zero, not missing: an alert compares them.
func (c *census) Collect(ch chan<- prometheus.Metric) {
	now, err := c.now()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(deploymentsDesc, err)
		return
	}
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	for _, status := range deployment.Statuses() {
		gauge(deploymentsDesc, float64(now.Deployments[status]), string(status))
	}
	for _, state := range deployment.PreviewStates() {
		gauge(previewsDesc, float64(now.Previews[state]), string(state))
	}
	for _, host := range now.Slots {
		gauge(slotsDesc, float64(host.Used), host.Host, "used")
		free, closed := float64(max(0, host.Slots-host.Used)), 0.0
		if host.Closed {
			free, closed = 0, free
		}
		gauge(slotsDesc, free, host.Host, "free")
		gauge(slotsDesc, closed, host.Host, "closed")
	}
	gauge(queuedDesc, now.OldestQueued.Seconds())
}

func (c *census) now() (deployment.Census, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.taken) < censusAge {
		return c.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), censusTimeout) // a Collector is given none
	defer cancel()
	last, err := c.source.Census(ctx)
	if err == nil {
		c.last, c.taken = last, time.Now()
	}
	return last, err
}
