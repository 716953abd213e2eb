package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// What a host sees of a preview and what its app prints come to the API.
func TestPreviews_FiguresAndOutput(t *testing.T) {
	t.Parallel()
	project := createProject(t, "previews-figures", dev.repo("ticks"), nil)
	d := waitEnd(t, deploy(t, project, map[string]any{"environment": "branch/shown"}), "ready")
	s := newShell(t)
	name := project + "#1"

	var stats client.PreviewStats
	require.Eventually(t, func() bool {
		require.Equal(t, http.StatusOK, dev.call(t, http.MethodGet, "/v1/previews/"+d.ID+"/stats", nil, &stats).status)
		return stats.Usage != nil
	}, eventually, tick)
	require.True(t, stats.Usage.Current)
	require.Positive(t, stats.Usage.MemoryBytes)
	require.EqualValues(t, 512<<20, *stats.Usage.MemoryLimitBytes)
	require.Positive(t, stats.Usage.Pids)
	require.Regexp(t, `(?m)^`+name+` +branch/shown +ready .* live +\S+ +[0-9.]+ +\d+ MB of 512 +in 6d\d* `, s.must("ps", project))
	require.Contains(t, s.must("previews", "show", project), "host: ")

	require.Eventually(t, func() bool { return strings.Contains(s.must("logs", "--app", name), "tick") }, time.Minute, time.Second)
	for line := range strings.Lines(s.must("logs", "--app", name, "--output", "json")) {
		var l client.LogLine
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		require.Equal(t, "app", l.Step)
	}
}

func TestPreviews_StopAndStartByTheCLI(t *testing.T) {
	t.Parallel()
	project := createProject(t, "previews-cli", dev.repo("ticks"), nil)
	d := waitEnd(t, deploy(t, project, map[string]any{"environment": "branch/shown"}), "ready")
	s, name := newShell(t), project+"#1"
	require.Equal(t, name+" is stopped\n", s.must("previews", "stop", name))
	require.Empty(t, docker(t, "ps", "-aq", "--filter", "label=slipway.deployment="+d.ID), "its container is verified gone")
	require.Equal(t, name+" is live: "+d.EnvironmentURL+"\n", s.must("previews", "start", name))
	status, _ := dev.get(t, d.EnvironmentURL)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, s.must("previews", "pin", name), "until it is unpinned")
}
