package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

func TestCancelWhileBuilding(t *testing.T) {
	t.Parallel()
	project := createProject(t, "cancel-build", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep 6007"})
	id := deploy(t, project, nil)
	waitForLine(t, id, "build has begun")
	require.NotEmpty(t, runningWith(t, "sleep 6007"))
	var d client.Deployment
	require.Equal(t, http.StatusAccepted, dev.call(t, http.MethodPost, "/v1/deployments/"+id+"/cancel", nil, &d).status)
	require.Equal(t, "canceling", string(d.Status))
	begun := time.Now()
	d = waitEnd(t, id, "canceled")
	t.Logf("canceled after %.2fs", time.Since(begun).Seconds())
	require.Nil(t, d.Failure)
	require.Equal(t, []string{"lease", "solve", "workspace"}, undone(t, id))
	require.Empty(t, runningWith(t, "sleep 6007"), "the receipt says that the solve has ended, RUN's processes with it")
	requireNothingLeft(t, id)
	require.Equal(t, http.StatusConflict, dev.call(t, http.MethodPost, "/v1/deployments/"+id+"/cancel", nil, nil).status)
	status, page := dev.get(t, d.PreviewURL)
	require.GreaterOrEqual(t, status, 400)
	require.Contains(t, page, "canceled")
}

func TestCancelWhileWaitingForReadiness(t *testing.T) {
	t.Parallel()
	project := createProject(t, "cancel-probe", dev.repo("never-listens"), map[string]any{"health_check": map[string]any{"timeout_seconds": 600}})
	id := deploy(t, project, nil)
	waitForLine(t, id, "thinking")
	require.Equal(t, http.StatusAccepted, dev.call(t, http.MethodPost, "/v1/deployments/"+id+"/cancel", nil, nil).status)
	begun := time.Now()
	waitEnd(t, id, "canceled")
	t.Logf("canceled after %.2fs", time.Since(begun).Seconds())
	require.Equal(t, []string{"container", "network"}, undone(t, id), "the build had given its host back before")
	requireNothingLeft(t, id)
}

// runningWith lists the processes of this machine, those in builds included, whose command line holds a text.
func runningWith(t *testing.T, text string) (pids []int) {
	t.Helper()
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		line, err := p.CmdLine()
		if err == nil && strings.Contains(strings.Join(line, " "), text) { // one that has ended meanwhile has none
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// undone lists the kinds in the receipt of a cancel, sorted.
func undone(t *testing.T, id string) (kinds []string) {
	t.Helper()
	var steps client.StepList
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodGet, "/v1/deployments/"+id+"/steps", nil, &steps).status)
	for _, u := range steps.Receipt {
		t.Logf("undone: %s %s in %d ms", u.Kind, u.Name, u.TookMs)
		kinds = append(kinds, u.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func TestCancelAfterReadyIsAConflict(t *testing.T) {
	t.Parallel()
	project := createProject(t, "cancel-late", dev.repo("static"), nil)
	d := waitEnd(t, deploy(t, project, nil), "ready")
	require.Equal(t, http.StatusConflict, dev.call(t, http.MethodPost, "/v1/deployments/"+d.ID+"/cancel", nil, nil).status)
	status, _ := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)
}

// waitForLine waits until the log of a deployment holds a line that a command printed.
func waitForLine(t *testing.T, id, line string) {
	t.Helper()
	waitFor(t, id, "a line "+strconv.Quote(line), func(client.Deployment) bool {
		for _, l := range logs(t, id) {
			if l.Stream != "slipway" && l.Step != "plan" && strings.HasSuffix(l.Text, line) {
				return true
			}
		}
		return false
	})
}

func TestLogStreamResumesAndEnds(t *testing.T) {
	t.Parallel()
	project := createProject(t, "log-stream", dev.repo("static"), nil)
	id := deploy(t, project, nil)
	followed, last := follow(t, id, "") // from the first line on, while the deploy runs
	require.Equal(t, "end", last)
	waitEnd(t, id, "ready")
	stored := ofTheDeploy(logs(t, id))
	require.Len(t, followed, len(stored), "no line is lost or doubled")

	middle := len(stored) / 2
	rest, last := follow(t, id, strconv.Itoa(middle)) // of one that has ended
	require.Equal(t, "end", last)
	require.Len(t, rest, len(stored)-middle)
	require.Equal(t, strconv.Itoa(middle+1), rest[0])
}

// follow reads a deployment's event stream to its end and returns the ids of its lines, but for what the app printed once it was live,
// and the last event.
func follow(t *testing.T, id, lastEventID string) (ids []string, event string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+dev.api+"/v1/deployments/"+id+"/logs", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+dev.token(t))
	request.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var last string
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = value
		}
		if value, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			last = value
		}
		if value, ok := strings.CutPrefix(lines.Text(), "data: "); ok && event == "log" {
			var line logLine
			require.NoError(t, json.Unmarshal([]byte(value), &line))
			if line.Step != "app" {
				ids = append(ids, last)
			}
		}
	}
	require.NoError(t, lines.Err())
	return ids, event
}

func TestPreviewPassesWebSocketAndEventStreamThrough(t *testing.T) {
	t.Parallel()
	project := createProject(t, "streams", dev.repo("node"), nil)
	d := waitEnd(t, deploy(t, project, nil), "ready")

	url := strings.Replace(d.PreviewURL, "http://", "ws://", 1) + "/ws"
	socket, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: dev.browser()}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	defer socket.CloseNow()
	require.NoError(t, socket.Write(t.Context(), websocket.MessageText, []byte("ahoy")))
	_, echo, err := socket.Read(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(echo), "ahoy")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.PreviewURL+"/events", nil)
	require.NoError(t, err)
	response, err := dev.browser().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Contains(t, response.Header.Get("Content-Type"), "text/event-stream")
	first, err := bufio.NewReader(response.Body).ReadString('\n')
	require.NoError(t, err, "the first event arrives while the stream is open")
	require.NotEmpty(t, first)
}

func TestUnknownHostHasAPage(t *testing.T) {
	t.Parallel()
	status, page := dev.get(t, "http://nobody.localhost")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, page, "nobody.localhost")
}

func TestPreviewContainerIsHardened(t *testing.T) {
	t.Parallel()
	project := createProject(t, "hardened", dev.repo("static"), nil)
	d := waitEnd(t, deploy(t, project, nil), "ready")
	ids := docker(t, "ps", "-q", "--filter", "label=slipway.deployment="+d.ID)
	require.Len(t, ids, 1)
	var inspected []struct {
		HostConfig struct {
			CapDrop, SecurityOpt []string
			Memory, MemorySwap   int64
			NanoCpus, PidsLimit  int64
			Init                 bool
			PortBindings         map[string]any
			LogConfig            struct{ Config map[string]string }
		}
		Config struct{ Labels map[string]string }
	}
	require.NoError(t, json.Unmarshal([]byte(strings.Join(docker(t, "inspect", ids[0]), " ")), &inspected))
	host := inspected[0].HostConfig
	require.Equal(t, []string{"ALL"}, host.CapDrop)
	require.Contains(t, strings.Join(host.SecurityOpt, ","), "no-new-privileges")
	require.Equal(t, int64(512<<20), host.Memory)
	require.Equal(t, host.Memory, host.MemorySwap)
	require.Equal(t, int64(512), host.PidsLimit)
	require.Equal(t, int64(500_000_000), host.NanoCpus)
	require.True(t, host.Init)
	require.Empty(t, host.PortBindings, "nothing is published")
	require.NotEmpty(t, host.LogConfig.Config["max-size"])
	for _, label := range []string{"slipway.managed", "slipway.installation", "slipway.deployment", "slipway.project", "slipway.environment"} {
		require.NotEmpty(t, inspected[0].Config.Labels[label], label)
	}
}

func TestDeletedProjectLeavesNothing(t *testing.T) {
	t.Parallel()
	project := createProject(t, "deleted", dev.repo("static"), nil)
	d := waitEnd(t, deploy(t, project, nil), "ready")
	response := dev.call(t, http.MethodDelete, "/v1/projects/"+project, nil, nil)
	require.Less(t, response.status, 300)
	require.Equal(t, http.StatusNotFound, dev.call(t, http.MethodGet, "/v1/projects/"+project, nil, nil).status)
	requireNothingLeft(t, d.ID)
	requireUnknown(t, d.PreviewURL)
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func bodyOf(s string) io.Reader {
	if s == "" {
		return nil
	}
	return strings.NewReader(s)
}
