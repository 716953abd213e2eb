package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// webUI talks to Temporal as the pages of its Web UI do: through their server, whose token against forged requests it has
// from a cookie.
type webUI struct {
	t      *testing.T
	client *http.Client
}

func openWebUI(t *testing.T) webUI {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return webUI{t: t, client: &http.Client{Jar: jar}}
}

// ask sends a request about a workflow and decodes the answer.
func (u webUI) ask(method, workflow, what string, body, out any) {
	u.t.Helper()
	address := "http://" + dev.ui + "/api/v1/namespaces/default/workflows/" + url.PathEscape(workflow) + what
	data, err := json.Marshal(body)
	require.NoError(u.t, err)
	request, err := http.NewRequestWithContext(u.t.Context(), method, address, bytes.NewReader(data))
	require.NoError(u.t, err)
	request.Header.Set("Content-Type", "application/json")
	for _, cookie := range u.client.Jar.Cookies(request.URL) {
		if cookie.Name == "_csrf" {
			request.Header.Set("X-CSRF-Token", cookie.Value)
		}
	}
	response, err := u.client.Do(request)
	require.NoError(u.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(u.t, err)
	require.Equal(u.t, http.StatusOK, response.StatusCode, "%s %s: %s", method, address, answer)
	require.NoError(u.t, json.Unmarshal(answer, out), "%s", answer)
}

// reset resets a run to the first event that the Web UI offers, as its button does, and returns the new one.
func (u webUI) reset(d client.Deployment) (runID string) {
	u.t.Helper()
	var page struct {
		History struct {
			Events []struct{ EventID, EventType string }
		}
	}
	u.ask(http.MethodGet, d.WorkflowID, "/history?execution.runId="+*d.RunID, nil, &page)
	execution := map[string]any{"workflowId": d.WorkflowID, "runId": *d.RunID}
	for _, e := range page.History.Events {
		if e.EventType != "EVENT_TYPE_WORKFLOW_TASK_COMPLETED" {
			continue
		}
		var reset struct{ RunID string }
		u.ask(http.MethodPost, d.WorkflowID, "/reset", map[string]any{
			"workflowExecution": execution, "workflowTaskFinishEventId": e.EventID, "requestId": uuid.NewString(), "reason": "in the Web UI",
		}, &reset)
		return reset.RunID
	}
	u.t.Fatalf("the history of %s has no workflow task", d.WorkflowID)
	return ""
}
