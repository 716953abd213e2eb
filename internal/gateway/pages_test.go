package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const hostile = `</pre><script>alert("x")</script><img src=x onerror=alert(1)>`

func TestPages(t *testing.T) {
	t.Parallel()
	failure := &deployment.Failure{
		Class: deployment.ClassUser, Code: "build.command_failed", Step: deployment.StepBuild,
		Message: "npm run build: exit code 3 " + hostile, Fix: "run it locally " + hostile, Lines: []string{"> tsc", hostile},
	}
	for _, c := range []struct {
		name    string
		route   deployment.Route
		status  int
		code    string
		page    []string // in the page
		refresh bool
	}{
		{"queued", deployment.Route{Status: deployment.StatusQueued}, 503, "gateway.not_ready", []string{"Waiting to be built"}, true},
		{"fetching", deployment.Route{Status: deployment.StatusFetching}, 503, "gateway.not_ready", []string{"Fetching the source"}, true},
		{
			"building",
			deployment.Route{Status: deployment.StatusBuilding},
			503, "gateway.not_ready",
			[]string{
				"Building", `<li id="step-plan" class="done">plan</li>`, `<li id="step-build" class="now" aria-current="step">build</li>`,
				`<li id="step-release" class="next">release</li>`,
			},
			true,
		},
		{
			"building, as far as it is known",
			deployment.Route{Status: deployment.StatusBuilding, Step: &deployment.StepNow{
				Name: deployment.StepBuild, Attempt: 2, Progress: deployment.Progress{Phase: deployment.PhasePush, Percent: 40},
			}},
			503, "gateway.not_ready",
			[]string{"build, push: 40 %, attempt 2", `<progress id="bar" max="100" value="40">`},
			true,
		},
		{
			"in line",
			deployment.Route{Status: deployment.StatusQueued, Step: &deployment.StepNow{Name: deployment.StepResolve, Attempt: 1, WaitingFor: "a build slot"}},
			503, "gateway.not_ready",
			[]string{"resolve: waits for a build slot", `<progress id="bar" max="100">`},
			true,
		},
		{
			"releasing",
			deployment.Route{Status: deployment.StatusReleasing, State: deployment.PreviewStarting},
			503, "gateway.not_ready",
			[]string{"Starting the app"},
			true,
		},
		{
			"failed",
			deployment.Route{Status: deployment.StatusFailed, Failure: failure},
			502, "gateway.failed",
			[]string{"This deployment failed", "build: npm run build: exit code 3", "What to do: run it locally", "&gt; tsc", "build.command_failed"},
			false,
		},
		{"failed without a reason", deployment.Route{Status: deployment.StatusFailed}, 502, "gateway.failed", []string{"This deployment failed"}, false},
		{"canceling", deployment.Route{Status: deployment.StatusCanceling}, 410, "gateway.canceled", []string{"was canceled"}, false},
		{"canceled", deployment.Route{Status: deployment.StatusCanceled}, 410, "gateway.canceled", []string{"was canceled"}, false},
		{"superseded", deployment.Route{Status: deployment.StatusSuperseded}, 410, "gateway.superseded", []string{"was superseded"}, false},
		{
			"replaced",
			deployment.Route{Status: deployment.StatusReady, State: deployment.PreviewStopped, ReplacedBy: 9},
			410, "gateway.replaced",
			[]string{"Replaced by deployment #9"},
			false,
		},
		{"asleep", deployment.Route{Status: deployment.StatusReady, State: deployment.PreviewAsleep}, 503, "gateway.asleep", []string{"is asleep"}, false},
		{"stopped", deployment.Route{Status: deployment.StatusReady, State: deployment.PreviewStopped}, 503, "gateway.stopped", []string{"is stopped"}, false},
		{
			"about to be started",
			deployment.Route{Status: deployment.StatusReady, State: deployment.PreviewStarting},
			503, "gateway.not_ready",
			[]string{`<li id="step-release" class="now" aria-current="step">release</li>`},
			true,
		},
		{"crashed", deployment.Route{Status: deployment.StatusReady, State: deployment.PreviewFailed}, 502, "gateway.crashed", []string{"has crashed"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.route.Hostname, c.route.Project, c.route.Environment, c.route.DeploymentNumber = previewHost, "shop", "branch/x<y", 7
			c.route.DeploymentID = "d-1"
			front, _, _ := serve(t, nil, c.route)

			response, body := ask(t, front, previewHost, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
			requirePage(t, response, body, c.status, c.refresh)
			for _, text := range append(c.page, "shop · branch/x&lt;y · deployment #7", c.code) {
				require.Contains(t, body, text)
			}

			response, body = ask(t, front, previewHost, "Accept", "application/json")
			p := problemOf(t, body)
			require.Equal(t, c.status, response.StatusCode)
			require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
			require.Equal(t, c.code, p["code"])
			require.EqualValues(t, c.status, p["status"])
			require.EqualValues(t, 7, p["number"])
			require.Equal(t, "d-1", p["deployment"])
			require.Equal(t, c.refresh, response.Header.Get("Retry-After") != "")
			if c.route.Failure != nil {
				require.Equal(t, failure.Message, p["detail"])
				require.Equal(t, failure.Fix, p["fix"])
				require.Equal(t, []any{"> tsc", hostile}, p["failure"].(map[string]any)["lines"])
			}
			if c.route.ReplacedBy > 0 {
				require.EqualValues(t, 9, p["replaced_by"])
			}
		})
	}
}

func TestUnknownHost(t *testing.T) {
	t.Parallel()
	front, _, known := serve(t, nil)
	response, body := ask(t, front, "no-such-preview.localhost", "Accept", "text/html")
	requirePage(t, response, body, http.StatusNotFound, false)
	require.Contains(t, body, "no-such-preview.localhost")
	response, body = ask(t, front, "no-such-preview.localhost", "Accept", "*/*")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Equal(t, "gateway.unknown_host", problemOf(t, body)["code"])
	require.Equal(t, 2, known.lookups())

	response, _ = ask(t, front, "elsewhere.example.com")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Equal(t, 3, known.lookups(), "a name outside the domain may be somebody's own")
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	front, _, _ := serve(t, nil)
	_, body := ask(t, front, "no-such-preview.localhost", "X-Request-Id", "1")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, front.URL, nil)
	require.NoError(t, err)
	r.Host = "no-such-preview.localhost"
	r.Header.Set("X-Request-Id", "1")
	response, none := send(t, front, r)
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Empty(t, none)
	require.EqualValues(t, len(body), response.ContentLength)
}

func TestAcceptDecidesTheForm(t *testing.T) {
	t.Parallel()
	front, _, _ := serve(t, nil)
	for accept, html := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/html;q=0, */*": false, "text/html;q=0.0": false, "nonsense;;": false,
		"text/html": true, "application/json, text/html;q=0.5": true, "TEXT/HTML": true,
	} {
		response, _ := ask(t, front, previewHost, "Accept", accept)
		require.Equal(t, html, response.Header.Get("Content-Type") == "text/html; charset=utf-8", accept)
	}
}

// requirePage checks what every page has to hold to.
func requirePage(t *testing.T, response answer, body string, status int, refresh bool) {
	t.Helper()
	require.Equal(t, status, response.StatusCode)
	require.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	require.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, refresh, response.Header.Get("Retry-After") != "")
	if refresh {
		require.Contains(t, body, `<meta http-equiv="refresh"`)
	} else {
		require.NotContains(t, body, `http-equiv="refresh"`)
	}
	require.NotContains(t, body, "<script>alert", "hostile text was not escaped")
	require.NotContains(t, body, "<img")
	require.NotContains(t, body, "//", "a page loads nothing from elsewhere")
	require.Contains(t, body, "</html>")
}
