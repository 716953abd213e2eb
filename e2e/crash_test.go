package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// Not parallel: it kills what the other tests use, and runs when they are over or not begun.
func TestKilledAtAnyMomentEveryDeployContinues(t *testing.T) {
	building := createProject(t, "crash-build", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 8"})
	live := createProject(t, "crash-live", dev.repo("static"), nil)
	before := waitEnd(t, deploy(t, live, nil), "ready")
	ticks := waitEnd(t, deploy(t, createProject(t, "crash-ticks", dev.repo("ticks"), nil), nil), "ready")

	doomed := waitEnd(t, deploy(t, createProject(t, "crash-deleted", dev.repo("static"), nil), nil), "ready")

	id := deploy(t, building, nil)
	waitForLine(t, id, "build has begun")
	accepted := deploy(t, live, nil) // a 202 a moment before the death of everything
	deletion := requestDeletion(t, "/v1/projects/crash-deleted")
	dev.kill(t)
	killed := time.Now()
	require.NoError(t, dev.start())
	t.Logf("ready again %.1fs after the kill", time.Since(killed).Seconds())

	status, _ := dev.get(t, before.EnvironmentURL)
	require.Equal(t, http.StatusOK, status, "a live preview is reached again at once")
	after := waitEnd(t, accepted, "ready")
	require.Equal(t, before.Number+1, after.Number)
	d := waitEnd(t, id, "ready")
	_, body := dev.get(t, d.PreviewURL)
	require.Contains(t, body, "slow but here")
	t.Logf("the deploy that was building is live %.1fs after the kill", time.Since(killed).Seconds())
	requireEveryTick(t, ticks)
	requireOver(t, deletion)
	require.Empty(t, leftOvers(t, doomed.ID))
	require.Empty(t, tagsOf(t, "crash-deleted"))
}

// requireEveryTick checks that the log holds each line that a live app has printed by now once: before the kill, while
// nobody followed it, and after.
func requireEveryTick(t *testing.T, d client.Deployment) {
	t.Helper()
	_, body := dev.get(t, d.PreviewURL)
	so, err := strconv.Atoi(body)
	require.NoError(t, err, "%s", body)
	require.Greater(t, so, 50)
	var printed []string
	require.Eventually(t, func() bool {
		printed = nil
		for _, l := range logs(t, fmt.Sprint(d.ID)) {
			if strings.HasPrefix(l.Text, "tick ") {
				printed = append(printed, l.Text)
			}
		}
		return len(printed) >= so
	}, 30*time.Second, 100*time.Millisecond)
	for i, line := range printed {
		require.Equal(t, fmt.Sprintf("tick %d", i), line)
	}
}
