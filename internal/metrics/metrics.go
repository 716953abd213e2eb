package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Buckets in seconds: of what a person waits for in a deploy, and of a request.
var (
	deployBuckets  = []float64{.1, .5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1200, 1800, 3600}
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// Metrics are the counts of one process. They are safe for concurrent use.
type Metrics struct {
	registry   *prometheus.Registry
	queueWait  prometheus.Histogram
	steps      *prometheus.HistogramVec
	phases     *prometheus.HistogramVec
	buildSteps *prometheus.CounterVec
	logLines   prometheus.Counter
	repairs    *prometheus.CounterVec
	gateway    *gateway
	api        *prometheus.HistogramVec

	certificates *prometheus.CounterVec
}

// New returns the metrics of a process of the given version, all of them at zero.
func New(version string) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	with := promauto.With(registry)
	m := &Metrics{
		registry: registry,
		queueWait: with.NewHistogram(prometheus.HistogramOpts{
			Name: "slipway_queue_wait_seconds", Help: "Time that a deployment waited in line for a build slot.", Buckets: deployBuckets,
		}),
		steps: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slipway_step_duration_seconds", Buckets: deployBuckets,
			Help: "Duration of one attempt at a step, by how it ended; class says whose failure it was.",
		}, []string{"step", "outcome", "class"}),
		phases: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slipway_phase_duration_seconds", Help: "Duration of a phase of a step, however it ended.", Buckets: deployBuckets,
		}, []string{"step", "phase"}),
		buildSteps: with.NewCounterVec(prometheus.CounterOpts{
			Name: "slipway_build_steps_total", Help: "Steps of Dockerfiles that were built, by whether the cache had them.",
		}, []string{"cached"}),
		logLines: with.NewCounter(prometheus.CounterOpts{
			Name: "slipway_log_lines_total", Help: "Lines of deployments' logs that were stored.",
		}),
		repairs: with.NewCounterVec(prometheus.CounterOpts{
			Name: "slipway_reconciler_repairs_total", Help: "Repairs that the reconciler and the sweep of a host made, by kind.",
		}, []string{"kind"}),
		gateway: newGateway(with),
		api: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slipway_api_request_duration_seconds", Help: "Duration of REST requests by route; log streams are left out.",
			Buckets: requestBuckets,
		}, []string{"method", "route", "status"}),
		certificates: newCertificateOrders(with),
	}
	with.NewGaugeVec(prometheus.GaugeOpts{
		Name: "slipway_build_info", Help: "1; the label names the version that runs.",
	}, []string{"version"}).WithLabelValues(version).Set(1)
	m.buildSteps.WithLabelValues("true") // a rate needs the zero before the first hit
	m.buildSteps.WithLabelValues("false")
	return m
}

// Handler answers a scrape. A metric that cannot be had, as with Postgres away, is left out of the answer.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Registry: m.registry})
}

// QueueWaited notes how long a deployment waited for a build slot.
func (m *Metrics) QueueWaited(d time.Duration) { m.queueWait.Observe(d.Seconds()) }

// StepEnded notes how an attempt at a step ended. class is empty unless it failed.
func (m *Metrics) StepEnded(step deployment.StepName, outcome deployment.StepStatus, class deployment.Class, took time.Duration) {
	m.steps.WithLabelValues(string(step), string(outcome), string(class)).Observe(took.Seconds())
}

// PhaseEnded notes how long a phase of a step lasted.
func (m *Metrics) PhaseEnded(step deployment.StepName, phase deployment.Phase, took time.Duration) {
	m.phases.WithLabelValues(string(step), string(phase)).Observe(took.Seconds())
}

// Built notes how much of a build came from the cache.
func (m *Metrics) Built(o deployment.BuildOutcome) {
	m.buildSteps.WithLabelValues("true").Add(float64(o.Cached))
	m.buildSteps.WithLabelValues("false").Add(float64(max(0, o.Steps-o.Cached)))
}

// LinesStored notes lines that are stored.
func (m *Metrics) LinesStored(n int) { m.logLines.Add(float64(n)) }

// Repaired notes repairs of a kind.
func (m *Metrics) Repaired(kind string, n int) { m.repairs.WithLabelValues(kind).Add(float64(n)) }

// APIAnswered notes a request to the REST API. An empty route is one that does not exist.
func (m *Metrics) APIAnswered(method, route string, status int, took time.Duration) {
	if route == "" {
		method, route = "", "none" // a stranger chooses the method too
	}
	m.api.WithLabelValues(method, route, class(status)).Observe(took.Seconds())
}

// class turns 404 into 4xx. Apps answer what they like: a status out of range is of no class.
func class(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}
