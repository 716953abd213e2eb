package e2e_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// The machine is lost, with its registry: another one has projects, env vars and history from the backup, and what was live comes
// back by building the same commit.
func TestRestoreOnAnotherMachine(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.env = append(in.env, "SLIPWAY_RECONCILE_INTERVAL=2s") // it starts what a restore has queued
	out := in.up(t)
	in.requirePlaces(t, out)
	var live client.DeploymentList
	in.call(t, http.MethodGet, "/v1/deployments", nil, &live)
	require.Len(t, live.Items, 1)
	project := live.Items[0].Project
	vars := map[string]any{"vars": []map[string]string{
		{"name": "GREETING", "value": "hello", "target": "runtime"}, {"name": "API_KEY", "value": "s3cret-of-a-user", "target": "both"},
	}}
	require.Equal(t, http.StatusOK, in.call(t, http.MethodPatch, "/v1/projects/"+project+"/env", vars, nil).status)
	file := filepath.Join(t.TempDir(), "slipway.zip")
	in.admin(t, "backup", file)

	id := in.installation(t)
	in.down(t, "--purge")
	in.layOutData(t)
	out = in.admin(t, "restore", file)
	require.Contains(t, out, "restored 1 project, 1 environment and 1 deployment")
	_, err := in.run("up", "--example", "")
	require.NoError(t, err)
	require.Equal(t, id, in.installation(t))

	begun := time.Now()
	var all client.DeploymentList
	require.Eventually(t, func() bool {
		in.call(t, http.MethodGet, "/v1/deployments", nil, &all)
		return len(all.Items) == 2 && all.Items[0].Status == client.DeploymentStatusReady
	}, ofADeploy, tick)
	t.Logf("live again %.1fs after slipway had started", time.Since(begun).Seconds())
	require.Equal(t, live.Items[0].ID, all.Items[1].ID)
	require.Equal(t, client.DeploymentStatusReady, all.Items[1].Status, "history stays")
	require.Equal(t, live.Items[0].Commit, all.Items[0].Commit)
	require.Nil(t, all.Items[0].ReusedFrom, "the registry was empty: it was built")
	in.requireServes(t, all.Items[0].EnvironmentURL)
	var names client.Env
	in.call(t, http.MethodGet, "/v1/projects/"+project+"/env", nil, &names)
	require.Len(t, names.Vars, 2)
	container := docker(t, append([]string{"inspect", "--format", "{{json .Config.Env}}"}, in.containers(t)...)...)
	require.Contains(t, strings.Join(container, " "), "API_KEY=s3cret-of-a-user", "the keys open what they have sealed")
}

// admin runs a command of `slipway admin` with the installation's settings, and returns what it says.
func (in *installation) admin(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), abs(t, "../bin/slipway"), append([]string{"admin"}, args...)...)
	cmd.Env, cmd.Dir = in.env, t.TempDir()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), "%s", &out)
	return out.String()
}

// layOutData gives the installation an empty data directory, but for BuildKit's cache, which is what makes a warm run quick.
func (in *installation) layOutData(t *testing.T) {
	t.Helper()
	require.NoError(t, os.RemoveAll(in.data))
	require.NoError(t, os.Mkdir(in.data, 0o700))
	require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(in.data), "buildkit"), filepath.Join(in.data, "buildkit")))
}
