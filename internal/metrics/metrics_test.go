package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/metrics"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	return answer.Body.String()
}

func TestMetrics_TellWhatHappened(t *testing.T) {
	t.Parallel()
	m := metrics.New("1.2.3")
	m.QueueWaited(3 * time.Second)
	m.StepEnded(deployment.StepBuild, deployment.StepFailed, deployment.ClassUser, time.Minute)
	m.PhaseEnded(deployment.StepRelease, deployment.PhaseProbe, time.Second)
	m.Built(deployment.BuildOutcome{BuildFigures: deployment.BuildFigures{Cached: 4, Steps: 6}})
	m.LinesStored(7)
	m.Repaired("started", 2)
	m.APIAnswered(http.MethodGet, "/v1/deployments/:id", http.StatusNotFound, time.Second)
	m.APIAnswered("BREW", "", http.StatusNotFound, time.Second)
	text := scrape(t, m)
	for _, line := range []string{
		`slipway_build_info{version="1.2.3"} 1`,
		`slipway_queue_wait_seconds_sum 3`,
		`slipway_step_duration_seconds_sum{class="user",outcome="failed",step="build"} 60`,
		`slipway_phase_duration_seconds_count{phase="probe",step="release"} 1`,
		`slipway_build_steps_total{cached="true"} 4`, `slipway_build_steps_total{cached="false"} 2`,
		`slipway_log_lines_total 7`,
		`slipway_reconciler_repairs_total{kind="started"} 2`,
		`slipway_api_request_duration_seconds_count{method="GET",route="/v1/deployments/:id",status="4xx"} 1`,
		`slipway_api_request_duration_seconds_count{method="",route="none",status="4xx"} 1`,
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "BREW", "a stranger adds no label")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

type source struct {
	asked atomic.Int32
	err   error
}

func (s *source) Census(context.Context) (deployment.Census, error) {
	s.asked.Add(1)
	return deployment.Census{
		Deployments: map[deployment.Status]int{deployment.StatusBuilding: 2}, Previews: map[deployment.PreviewState]int{deployment.PreviewLive: 3},
		Slots: []deployment.HostSlots{{Host: "b1", Slots: 4, Used: 1}, {Host: "b2", Slots: 4, Used: 3, Closed: true}}, OldestQueued: time.Minute,
	}, s.err
}

func TestCount(t *testing.T) {
	t.Parallel()
	m, s := metrics.New("1"), &source{}
	m.Count(s)
	scrape(t, m)
	text := scrape(t, m)
	require.Equal(t, int32(1), s.asked.Load(), "two scrapes, one question")
	for _, line := range []string{
		`slipway_deployments{status="building"} 2`, `slipway_deployments{status="failed"} 0`,
		`slipway_previews{state="live"} 3`, `slipway_previews{state="failed"} 0`,
		`slipway_build_slots{host="b1",state="used"} 1`, `slipway_build_slots{host="b1",state="free"} 3`, `slipway_build_slots{host="b1",state="closed"} 0`,
		`slipway_build_slots{host="b2",state="used"} 3`, `slipway_build_slots{host="b2",state="free"} 0`, `slipway_build_slots{host="b2",state="closed"} 1`,
		`slipway_oldest_queued_seconds 60`,
	} {
		require.Contains(t, text, line)
	}
}

func TestBuilders(t *testing.T) {
	t.Parallel()
	m := metrics.New("1")
	m.Builders(func() []deployment.BuilderStatus {
		return []deployment.BuilderStatus{{Address: "tcp://a:1234", Up: true, Builds: 2}, {Address: "tcp://b:1234"}}
	})
	text := scrape(t, m)
	for _, line := range []string{
		`slipway_builder_up{address="tcp://a:1234"} 1`, `slipway_builder_up{address="tcp://b:1234"} 0`,
		`slipway_builder_builds{address="tcp://a:1234"} 2`, `slipway_builder_builds{address="tcp://b:1234"} 0`,
	} {
		require.Contains(t, text, line)
	}
}

func TestCount_WithPostgresAway(t *testing.T) {
	t.Parallel()
	m := metrics.New("1")
	m.Count(&source{err: errors.New("away")})
	text := scrape(t, m)
	require.NotContains(t, text, "slipway_deployments")
	require.Contains(t, text, "slipway_log_lines_total 0", "the rest is told all the same")
}

func TestGateway_CountsVisitsByEnvironment(t *testing.T) {
	t.Parallel()
	m := metrics.New("1")
	shop, branch := deployment.Place{Project: "shop", Environment: "production"}, deployment.Place{Project: "shop", Environment: "branch/x"}
	for _, v := range []deployment.Visit{
		{Status: 200, Took: 2 * time.Second, Received: 10, Sent: 20},
		{Status: 101, Stream: true, Took: time.Hour, Received: 1, Sent: 2},
		{Status: 404, Took: time.Second},
		{Status: 999, Took: time.Second},
	} {
		m.VisitBegan(shop)(v)
	}
	underWay := m.VisitBegan(branch)
	m.VisitBegan(deployment.Place{})(deployment.Visit{Status: 404})
	of := func(place, more string) string { return `{environment="` + place + `",project="shop"` + more + `} ` }
	text := scrape(t, m)
	for _, line := range []string{
		"slipway_gateway_requests_total" + of("production", `,status="2xx"`) + "1", "slipway_gateway_requests_total" + of("production", `,status="1xx"`) + "1",
		"slipway_gateway_requests_total" + of("production", `,status="4xx"`) + "1", "slipway_gateway_requests_total" + of("production", `,status="other"`) + "1",
		"slipway_gateway_requests_total" + of("production", `,status="5xx"`) + "0",
		"slipway_gateway_request_duration_seconds_sum" + of("production", "") + "4", "slipway_gateway_request_duration_seconds_count" + of("production", "") + "3",
		"slipway_gateway_requests_in_flight" + of("production", "") + "0", "slipway_gateway_requests_in_flight" + of("branch/x", "") + "1",
		"slipway_gateway_received_bytes_total" + of("production", "") + "11", "slipway_gateway_sent_bytes_total" + of("production", "") + "22",
		`slipway_gateway_requests_total{environment="",project="",status="4xx"} 1`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)

	m.Keep([]deployment.Place{shop})
	underWay(deployment.Visit{Status: 200})
	text = scrape(t, m)
	require.NotContains(t, text, "branch/x", "a deleted environment is not told of, nor brought back by what ends after it")
	require.Contains(t, text, "slipway_gateway_received_bytes_total"+of("production", "")+"11")
	require.Contains(t, text, `slipway_gateway_requests_total{environment="",project="",status="4xx"} 1`)
}
