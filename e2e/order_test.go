package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// Under policy queue a deploy waits until the one before has ended, seen and changed from the command line.
func TestQueue(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	project := createProject(t, "queue", dev.repo("never-listens"), map[string]any{"health_check": map[string]any{"timeout_seconds": 600}})
	first := deploy(t, project, nil)
	s.must("environments", "update", "production", "--project", project, "--order-policy", "queue")
	second, third := deploy(t, project, nil), deploy(t, project, nil)
	waitForLine(t, first, "thinking")
	require.Contains(t, s.must("show", project+"#2"), "waiting for deployment #1 of this environment, place 1 in the queue")
	require.Contains(t, s.must("show", project+"#3"), "waiting for deployment #1 of this environment, place 2 in the queue")
	require.Contains(t, s.must("cancel", project+"#3"), "is canceled: there was nothing to undo")
	require.Nil(t, show(t, third).TemporalURL)

	cancel := func(id string) {
		require.Equal(t, http.StatusAccepted, dev.call(t, http.MethodPost, "/v1/deployments/"+id+"/cancel", nil, nil).status)
	}
	cancel(first)
	waitEnd(t, first, "canceled")
	waitFor(t, second, "its turn", func(d client.Deployment) bool { return d.StartedAt != nil })
	requireNothingLeft(t, first)
	cancel(second)
	waitEnd(t, second, "canceled")
	requireNothingLeft(t, second)
}
