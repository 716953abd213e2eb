package chaos_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// slipwayDeploy runs `slipway deploy`, and returns once it says why it waits. finished returns the deployment that it has made.
func slipwayDeploy(t *testing.T, why string, args ...string) (finished func() (id string)) {
	t.Helper()
	stderr, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	t.Cleanup(func() { stderr.Close() })
	var stdout bytes.Buffer
	cmd := exec.CommandContext(t.Context(), in.binary, append([]string{"deploy", "--output", "json"}, args...)...)
	cmd.Env = append(testbed.WithoutSlipway(), "SLIPWAY_API_URL=http://"+in.api, "SLIPWAY_TOKEN="+in.token)
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	require.NoError(t, cmd.Start())
	said := func() string {
		text, err := os.ReadFile(stderr.Name())
		require.NoError(t, err)
		return string(text)
	}
	require.Eventually(t, func() bool { return strings.Contains(said(), why) }, repaired, tick)
	return func() string {
		require.NoError(t, cmd.Wait(), "%s", said())
		var d client.Deployment
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &d))
		return d.ID
	}
}

// A command that comes while Postgres is away says so, waits, and is served once it is back: one deployment is made.
func TestCommandWaitsForPostgres(t *testing.T) {
	a := newApp(t, "patient", nil, 0)
	awaitStatus(t, a.deploy(t), "ready") // a worker that had just begun would end without Postgres
	a.commitThat(t, "this is the second of "+a.project)
	postgres := in.part("postgres")
	require.NoError(t, postgres.kill())
	finished := slipwayDeploy(t, "the API cannot serve this yet: Postgres does not answer", a.project, "--commit", a.commit, "--environment", a.env)
	require.NoError(t, postgres.start(t.Context()))
	id := finished()
	awaitStatus(t, id, "ready")
	requireInvariants(t, a, id)
	var made int
	require.NoError(t, in.db.QueryRow(t.Context(), "SELECT count(*) FROM deployments d JOIN projects p ON p.id = d.project_id WHERE p.name = $1", a.project).Scan(&made))
	require.Equal(t, 2, made)
}
