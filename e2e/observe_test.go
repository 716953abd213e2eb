package e2e_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// One deploy is one trace, from the request to the preview that answers.
func TestTraceOfADeploy(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery"
	project := createProject(t, "traced", dev.repo("dockerfile"), nil)
	response := dev.call(t, http.MethodPut, "/v1/projects/"+project+"/env", map[string]any{
		"vars": []map[string]any{{"name": "API_KEY", "value": secret, "target": "both"}},
	}, nil)
	require.Equal(t, http.StatusOK, response.status)
	id := deploy(t, project, nil)
	waitEnd(t, id, "ready")

	byID, paths := map[string]*tracepb.Span{}, map[string]bool{}
	path := func(s *tracepb.Span) string {
		names := []string{s.GetName()}
		for parent := byID[hex.EncodeToString(s.GetParentSpanId())]; parent != nil; parent = byID[hex.EncodeToString(parent.GetParentSpanId())] {
			names = append([]string{parent.GetName()}, names...)
		}
		return strings.Join(names, " > ")
	}
	const workflow = "POST /v1/projects/:project/deployments > StartWorkflow:Deploy > RunWorkflow:Deploy"
	require.EventuallyWithT(t, func(c *assert.CollectT) { // sent some seconds after they end, and the workflow's also when it leaves the worker's memory
		for _, s := range traces.of("POST /v1/projects/:project/deployments", "slipway.deployment", id) {
			byID[hex.EncodeToString(s.GetSpanId())] = s
		}
		for _, s := range byID {
			paths[path(s)] = true
		}
		for _, want := range []string{
			"StartActivity:ResolveRef > RunActivity:ResolveRef", "StartActivity:ClaimHost > RunActivity:ClaimHost",
			"StartActivity:FetchSource > RunActivity:FetchSource", "StartActivity:MakePlan > RunActivity:MakePlan",
			"StartActivity:BuildImage > RunActivity:BuildImage > build solve", "StartActivity:BuildImage > RunActivity:BuildImage > build push",
			"StartActivity:ReleasePreview > RunActivity:ReleasePreview > release pull",
			"StartActivity:ReleasePreview > RunActivity:ReleasePreview > release start",
			"StartActivity:ReleasePreview > RunActivity:ReleasePreview > release probe",
			"StartActivity:ReleasePreview > RunActivity:ReleasePreview > release switch",
		} {
			assert.True(c, paths[workflow+" > "+want], "%s is not in\n%v", want, paths)
		}
	}, eventually, 200*time.Millisecond)
	vertices := 0
	for _, s := range byID {
		p := path(s)
		require.LessOrEqual(t, s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano(), p)
		require.NotContains(t, s.String(), secret)
		if strings.HasPrefix(s.GetName(), "[") {
			require.Contains(t, p, "RunActivity:BuildImage > [")
			vertices++
		}
	}
	require.GreaterOrEqual(t, vertices, 2)
}

// What operators see of the whole system, at its own listener and nowhere else.
func TestOperatorsListener(t *testing.T) {
	t.Parallel()
	project := createProject(t, "watched", dev.repo("static"), nil)
	d := waitEnd(t, deploy(t, project, nil), "ready")
	status, _ := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)

	require.EventuallyWithT(t, func(c *assert.CollectT) { // what is busy may answer late
		status, ready := fetch(t, "http://"+dev.ops+"/readyz")
		assert.Equal(c, http.StatusOK, status, ready)
		for _, name := range []string{"postgres", "schema", "temporal", "docker", "buildkit", "registry", "gateway"} {
			assert.Contains(c, ready, `"`+name+`":{"status":"ok"}`)
		}
	}, eventually, tick)
	starts := []string{
		`slipway_deployments{status="ready"} `, `slipway_previews{state="live"} `, `slipway_build_slots{host="`, `slipway_queue_wait_seconds_count `,
		`slipway_step_duration_seconds_count{class="",outcome="succeeded",step="release"} `, `slipway_phase_duration_seconds_count{phase="probe",step="release"} `,
		`slipway_build_steps_total{cached="false"} `, `slipway_reconciler_repairs_total{kind="started"} `, `slipway_gateway_requests_total{environment="production",project="` + project + `",status="2xx"} `,
		`slipway_api_request_duration_seconds_count{method="POST",route="/v1/projects",status="2xx"} `, `temporal_num_pollers{`, `temporal_request_total{`,
	}
	var text string
	require.EventuallyWithT(t, func(c *assert.CollectT) { // a step is counted when it ends, a moment after its deployment is ready
		status, text = fetch(t, "http://"+dev.ops+"/metrics")
		assert.Equal(c, http.StatusOK, status)
		for _, start := range starts {
			assert.Contains(c, text, "\n"+start)
		}
	}, eventually, tick)
	require.NotContains(t, text, d.ID, "no label grows with the deployments")
	status, _ = fetch(t, "http://"+dev.api+"/metrics")
	require.NotEqual(t, http.StatusOK, status)
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	status, body, err := tryFetch(url)
	require.NoError(t, err)
	return status, body
}

func tryFetch(url string) (status int, body string, err error) {
	answer, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}
