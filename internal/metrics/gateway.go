package metrics

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// visitBuckets are few: there is a set of them for each environment.
var visitBuckets = []float64{.005, .025, .1, .25, 1, 2.5, 10}

// classes are all that class returns.
var classes = []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"}

// gateway counts requests to previews by environment. An environment has its series from its first visitor until it is deleted.
type gateway struct {
	requests       *prometheus.CounterVec
	took           *prometheus.HistogramVec
	inFlight       *prometheus.GaugeVec
	received, sent *prometheus.CounterVec

	mu     sync.Mutex
	places map[deployment.Place]*visits
}

// visits are the series of an environment. A request holds those that it began with: one that ends after a deletion brings
// nothing back.
type visits struct {
	requests       map[string]prometheus.Counter
	took           prometheus.Observer
	inFlight       prometheus.Gauge
	received, sent prometheus.Counter
}

func newGateway(with promauto.Factory) *gateway {
	labels := []string{"project", "environment"}
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return with.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(labels, more...))
	}
	return &gateway{
		requests: counter("slipway_gateway_requests_total",
			"Requests to previews, by the class of the answer's status; without a name, to host names that nobody has.", "status"),
		took: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "slipway_gateway_request_duration_seconds", Buckets: visitBuckets,
			Help: "Duration of requests to previews until the last byte; WebSockets and server-sent events are left out.",
		}, labels),
		inFlight: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_gateway_requests_in_flight", Help: "Requests to previews under way, WebSockets among them.",
		}, labels),
		received: counter("slipway_gateway_received_bytes_total", "Bytes of requests' bodies and from WebSockets."),
		sent:     counter("slipway_gateway_sent_bytes_total", "Bytes of answers' bodies and to WebSockets."),
		places:   map[deployment.Place]*visits{},
	}
}

func (g *gateway) at(p deployment.Place) *visits {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, ok := g.places[p]; ok {
		return v
	}
	v := &visits{
		requests: map[string]prometheus.Counter{}, took: g.took.WithLabelValues(p.Project, p.Environment),
		inFlight: g.inFlight.WithLabelValues(p.Project, p.Environment),
		received: g.received.WithLabelValues(p.Project, p.Environment), sent: g.sent.WithLabelValues(p.Project, p.Environment),
	}
	for _, class := range classes { // a rate needs the zero before the first
		v.requests[class] = g.requests.WithLabelValues(p.Project, p.Environment, class)
	}
	g.places[p] = v
	return v
}

// VisitBegan counts a request to an environment as under way until ended is called.
func (m *Metrics) VisitBegan(p deployment.Place) (ended func(deployment.Visit)) {
	at := m.gateway.at(p)
	at.inFlight.Inc()
	return func(v deployment.Visit) {
		at.inFlight.Dec()
		at.requests[class(v.Status)].Inc()
		at.received.Add(float64(v.Received))
		at.sent.Add(float64(v.Sent))
		if !v.Stream {
			at.took.Observe(v.Took.Seconds())
		}
	}
}

// Keep drops the series of every environment but these.
func (m *Metrics) Keep(places []deployment.Place) {
	g := m.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.places {
		if p == (deployment.Place{}) || slices.Contains(places, p) {
			continue
		}
		delete(g.places, p)
		gone := prometheus.Labels{"project": p.Project, "environment": p.Environment}
		g.requests.DeletePartialMatch(gone)
		for _, vec := range []interface{ Delete(prometheus.Labels) bool }{g.took, g.inFlight, g.received, g.sent} {
			vec.Delete(gone)
		}
	}
}
