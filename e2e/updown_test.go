package e2e_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What `make up` and `make down` do for a user, from the first start to the last byte removed. They call `slipway-dev up`
// and `down`, once everything is installed and built.
func TestUpAndDown(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	out := in.up(t)
	preview := in.requirePlaces(t, out)
	first := in.processes(t)
	require.Len(t, first, 4, "slipway-dev, Postgres, Temporal, BuildKit: %v", first)

	begun := time.Now()
	require.Contains(t, in.up(t), "runs already (process "+strconv.Itoa(first["slipway-dev"].PID)+"), nothing has changed")
	t.Logf("second up: %.1fs", time.Since(begun).Seconds())
	require.Less(t, time.Since(begun), 30*time.Second, "on a busy machine, too")
	require.Equal(t, first, in.processes(t))

	in.env = append(in.env, "SLIPWAY_LOG_LEVEL=debug")
	require.Contains(t, in.up(t), "restarting slipway-dev, because of a change of SLIPWAY_LOG_LEVEL\n")
	restarted := in.processes(t)
	requireEnded(t, first)
	in.requireServes(t, preview)

	require.NoError(t, syscall.Kill(restarted["slipway-dev"].PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !restarted["slipway-dev"].runs() }, eventually, tick)
	require.True(t, restarted["postgres"].runs(), "the children of the killed one live on until the next start")
	require.Contains(t, in.up(t), "it was not running any more")
	requireEnded(t, restarted)
	in.requireServes(t, preview)
	in.requireChildComesBack(t, "postgres")

	last, id := in.processes(t), in.installation(t)
	require.Contains(t, in.down(t), "stopped the previews that ran (1)")
	requireEnded(t, last)
	in.requireNothingListens(t)
	require.Empty(t, docker(t, "ps", "-q", "--filter", "label=slipway.installation="+id))
	require.FileExists(t, filepath.Join(in.data, "admin.token"))
	require.NoFileExists(t, filepath.Join(in.data, "slipway-dev.pid"))

	out = in.up(t)
	require.Contains(t, out, "==> starting slipway-dev\n")
	require.NotContains(t, out, "deploying", "the preview that ran before is started again")
	in.requireServes(t, preview)

	last = in.processes(t)
	in.down(t, "--purge")
	requireEnded(t, last)
	in.requirePurged(t, id)
	require.Contains(t, in.down(t), "nothing runs")
}

// `up` says which port is taken, and by whom, and leaves nothing running. Then it deploys the example anew when somebody
// has stopped its preview.
func TestUpMeetsTrouble(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	taken, err := net.Listen("tcp", in.api)
	require.NoError(t, err)
	out, err := in.run("up", "--example", "static")
	require.Error(t, err)
	require.Contains(t, out, "SLIPWAY_API_ADDR: "+in.api+" is in use by process "+strconv.Itoa(os.Getpid())+" (")
	require.NotContains(t, out, "level=", "the error, not the log")
	in.requireDoesNotRun(t)
	require.NoError(t, taken.Close())

	preview := in.requirePlaces(t, in.up(t))
	docker(t, append([]string{"rm", "-f"}, in.containers(t)...)...)
	require.Eventually(t, func() bool { return len(in.containers(t)) > 0 }, eventually, tick, "what is live comes back by itself")
	in.stopPreviews(t)
	out = in.up(t)
	require.Contains(t, out, "does not answer any more")
	require.Contains(t, out, "deploying example static")
	in.requireServes(t, preview)
	in.down(t, "--purge")
}

// stopPreviews stops what is live, and waits until it is gone.
func (in *installation) stopPreviews(t *testing.T) {
	t.Helper()
	var live struct {
		Items []struct {
			DeploymentID string `json:"deployment_id"`
		}
	}
	in.call(t, http.MethodGet, "/v1/previews", nil, &live)
	require.NotEmpty(t, live.Items)
	for _, p := range live.Items {
		require.Equal(t, http.StatusAccepted, in.call(t, http.MethodPost, "/v1/previews/"+p.DeploymentID+"/stop", nil, nil).status)
	}
	require.Eventually(t, func() bool { return len(in.containers(t)) == 0 }, eventually, tick)
}

// requirePlaces checks what `up` prints at its end, and that it is true. It returns the preview's URL.
func (in *installation) requirePlaces(t *testing.T, out string) string {
	t.Helper()
	place := func(name string) string {
		found := regexp.MustCompile(`(?m)^  ` + name + ` +(\S+)`).FindStringSubmatch(out)
		require.NotNil(t, found, "no %s in:\n%s", name, out)
		return found[1]
	}
	require.Equal(t, "http://"+in.api, place("API"))
	require.Equal(t, filepath.Join(in.data, "admin.token"), place("admin token"))
	info, err := os.Stat(place("admin token"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	response, err := http.Get(place("Temporal UI"))
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	preview := place("preview")
	in.requireServes(t, preview)
	return preview
}

func (in *installation) requireServes(t *testing.T, preview string) {
	t.Helper()
	want, err := os.ReadFile("../examples/static/index.html")
	require.NoError(t, err)
	status, body := in.get(t, preview)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, string(want), body)
}

func requireEnded(t *testing.T, processes map[string]proc) {
	t.Helper()
	for name, p := range processes {
		// slipway-dev gives its data free a moment before it ends.
		require.Eventually(t, func() bool { return !p.runs() }, eventually, tick, "%s (%d) still runs", name, p.PID)
	}
}

// requireChildComesBack kills a child, which nobody but slipway-dev notices.
func (in *installation) requireChildComesBack(t *testing.T, name string) {
	t.Helper()
	all := in.processes(t)
	require.NoError(t, syscall.Kill(all[name].PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { p := in.child(name); return p != all[name] && p.runs() }, eventually, tick)
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + in.api + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, eventually, tick)
	require.Equal(t, http.StatusOK, in.call(t, http.MethodGet, "/v1/projects", nil, nil).status)
	require.True(t, all["slipway-dev"].runs())
}

func (in *installation) requireDoesNotRun(t *testing.T) {
	t.Helper()
	cmd := exec.Command(in.binary, "status")
	cmd.Env = in.env
	out, err := cmd.Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode(), "%s", out)
	require.Contains(t, string(out), "does not run")
}

func (in *installation) requireNothingListens(t *testing.T) {
	t.Helper()
	for _, v := range in.env {
		name, addr, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "SLIPWAY_") && strings.HasSuffix(name, "_ADDR") {
			listener, err := net.Listen("tcp", addr)
			require.NoError(t, err, name)
			listener.Close()
		}
	}
	_, err := net.InterfaceByName("slipwayud0")
	require.Error(t, err, "the builds' bridge is gone")
}

func (in *installation) requirePurged(t *testing.T, id string) {
	t.Helper()
	require.NoDirExists(t, in.data)
	require.Empty(t, docker(t, "ps", "-aq", "--filter", "label=slipway.installation="+id))
	require.Empty(t, docker(t, "network", "ls", "-q", "--filter", "label=slipway.installation="+id))
	rules, err := exec.Command("iptables-save", "-t", "mangle").Output()
	require.NoError(t, err)
	require.NotContains(t, string(rules), "slipwayud0")
}
