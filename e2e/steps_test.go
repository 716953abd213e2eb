package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// What the tests say in words of their own.

// createProject makes a project with a name of its own over a repository, with further settings.
func createProject(t *testing.T, name, repo string, settings map[string]any) string {
	t.Helper()
	body := map[string]any{"name": name, "repo_url": repo}
	maps.Copy(body, settings)
	var problem map[string]any
	response := dev.call(t, http.MethodPost, "/v1/projects", body, &problem)
	require.Equal(t, http.StatusCreated, response.status, "%v", problem)
	return name
}

// deploy asks for a deploy and returns its id.
func deploy(t *testing.T, project string, request map[string]any) string {
	t.Helper()
	if request == nil {
		request = map[string]any{}
	}
	var d client.Deployment
	response := dev.call(t, http.MethodPost, "/v1/projects/"+project+"/deployments", request, &d)
	require.Equal(t, http.StatusAccepted, response.status)
	return fmt.Sprint(d.ID)
}

func show(t *testing.T, id string) client.Deployment {
	t.Helper()
	var d client.Deployment
	response := dev.call(t, http.MethodGet, "/v1/deployments/"+id, nil, &d)
	require.Equal(t, http.StatusOK, response.status)
	return d
}

// ofADeploy is how long one may take, with others before it and a busy machine.
const ofADeploy = 10 * time.Minute

// waitFor polls a deployment until it is as wanted; on the way it fails as soon as the deployment has ended otherwise.
func waitFor(t *testing.T, id string, what string, wanted func(client.Deployment) bool) client.Deployment {
	t.Helper()
	var d client.Deployment
	require.Eventually(t, func() bool {
		d = show(t, id)
		return wanted(d) || ended(d)
	}, ofADeploy, 100*time.Millisecond, "waiting for %s", what)
	if !wanted(d) {
		t.Fatalf("deployment is %s instead of %s: %s\n%s", d.Status, what, explain(d), tail(logs(t, id), 40))
	}
	return d
}

func waitEnd(t *testing.T, id string, status string) client.Deployment {
	t.Helper()
	return waitFor(t, id, status, func(d client.Deployment) bool { return string(d.Status) == status })
}

func ended(d client.Deployment) bool { return deployment.Status(d.Status).Ended() }

func explain(d client.Deployment) string {
	if d.Failure == nil {
		return "no failure"
	}
	return fmt.Sprintf("%+v", *d.Failure)
}

type logLine struct {
	Seq    int64  `json:"seq"`
	Step   string `json:"step"`
	Stream string `json:"stream"`
	Text   string `json:"text"`
}

// logs reads a deployment's whole log page by page.
func logs(t *testing.T, id string) []logLine {
	t.Helper()
	var lines []logLine
	for after := int64(0); ; {
		var page struct {
			Items []logLine `json:"items"`
		}
		dev.call(t, http.MethodGet, fmt.Sprintf("/v1/deployments/%s/logs?after=%d&limit=500", id, after), nil, &page)
		if len(page.Items) == 0 {
			return lines
		}
		lines = append(lines, page.Items...)
		after = lines[len(lines)-1].Seq
	}
}

// ofTheDeploy leaves out what the app printed once it was live.
func ofTheDeploy(lines []logLine) []logLine {
	return slices.DeleteFunc(lines, func(l logLine) bool { return l.Step == "app" })
}

func text(lines []logLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%d %s %s| %s\n", l.Seq, l.Step, l.Stream, l.Text)
	}
	return b.String()
}

func tail(lines []logLine, n int) string { return text(lines[max(0, len(lines)-n):]) }

type step struct {
	Name       string     `json:"name"`
	Phase      string     `json:"phase"`
	Attempt    int        `json:"attempt"`
	Host       string     `json:"host"`
	Status     string     `json:"status"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

// stepsOf are the steps of a deployment that has ended: it says so a moment before its last step does.
func stepsOf(t *testing.T, id string) []step {
	t.Helper()
	var page struct {
		Items []step `json:"items"`
	}
	require.Eventually(t, func() bool {
		page.Items = nil
		dev.call(t, http.MethodGet, "/v1/deployments/"+id+"/steps", nil, &page)
		return !slices.ContainsFunc(page.Items, func(s step) bool { return s.FinishedAt == nil })
	}, eventually, tick, "a step still runs")
	return page.Items
}
