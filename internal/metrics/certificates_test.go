package metrics_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/metrics"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	m := metrics.New("1")
	var known map[string]time.Time
	m.Certificates(func() map[string]time.Time { return known })
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		return w.Body.String()
	}
	require.NotContains(t, scrape(), "slipway_certificate_expiry_timestamp_seconds{")
	require.Contains(t, scrape(), "slipway_certificate_orders_total{outcome=\"failed\"} 0\n")
	known = map[string]time.Time{"own": time.Unix(1_800_000_000, 0)}
	m.CertificateOrdered("failed")
	require.Contains(t, scrape(), "slipway_certificate_expiry_timestamp_seconds{source=\"own\"} 1.8e+09\n")
	require.Contains(t, scrape(), "slipway_certificate_orders_total{outcome=\"failed\"} 1\n")
}
