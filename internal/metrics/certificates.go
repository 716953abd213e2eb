package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var expiryDesc = prometheus.NewDesc("slipway_certificate_expiry_timestamp_seconds",
	"When the first certificate expires of those that visitors got in the last ten minutes, by whether it is the operator's own or was issued; and the wildcard of all previews, at the epoch when there is none.", []string{"source"}, nil)

// Certificates adds when certificates expire: expiry answers by source, for as many as there are.
func (m *Metrics) Certificates(expiry func() map[string]time.Time) {
	m.registry.MustRegister(certificates(expiry))
}

type certificates func() map[string]time.Time

// Describe names the metric.
func (c certificates) Describe(to chan<- *prometheus.Desc) { to <- expiryDesc }

// Collect answers a scrape.
func (c certificates) Collect(to chan<- prometheus.Metric) {
	for source, expires := range c() {
		to <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(expires.Unix()), source)
	}
}

func newCertificateOrders(with promauto.Factory) *prometheus.CounterVec {
	orders := with.NewCounterVec(prometheus.CounterOpts{
		Name: "slipway_certificate_orders_total", Help: "Orders of certificates by how they ended: issued, renewed, failed, or refused before the CA was asked.",
	}, []string{"outcome"})
	for _, outcome := range []string{"issued", "renewed", "failed", "refused"} { // a rate needs the zero before the first
		orders.WithLabelValues(outcome)
	}
	return orders
}

// CertificateOrdered notes how an order of a certificate ended.
func (m *Metrics) CertificateOrdered(outcome string) {
	m.certificates.WithLabelValues(outcome).Inc()
}
