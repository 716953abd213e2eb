package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// says answers with what the build left in the image and what the environment tells at run time.
const says = `node -e "require('http').createServer((_, r) => r.end(require('fs').readFileSync('built', 'utf8').trim() + ' ' + process.env.GREETING)).listen(process.env.PORT, '0.0.0.0')"`

func greet(t *testing.T, project, greeting string) {
	t.Helper()
	vars := map[string]any{"vars": []map[string]any{{"name": "GREETING", "value": greeting, "target": "runtime"}}}
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodPut, "/v1/projects/"+project+"/env", vars, nil).status)
}

// The image is the one that was built before, what it is told at run time is what the environment says now.
func TestPromoteAndRollBack(t *testing.T) {
	t.Parallel()
	project := createProject(t, "reuse", dev.repo("slow-build"), map[string]any{"build_command": "echo one > built", "start_command": says})
	greet(t, project, "hello")
	first := waitEnd(t, deploy(t, project, nil), "ready")
	requireBody(t, first, "one hello")

	patch(t, project, map[string]any{"build_command": "echo two > built"})
	other := waitEnd(t, deploy(t, project, map[string]any{"environment": "pr/1"}), "ready")
	requireBody(t, other, "two hello")

	greet(t, project, "ciao")
	vars := map[string]any{"vars": []map[string]any{{"name": "GREETING", "value": "salve", "target": "runtime"}}}
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodPut, "/v1/projects/"+project+"/env?environment=pr/1", vars, nil).status)
	promoted := reuse(t, first.Environment.ID, "promote", map[string]any{"deployment": other.ID})
	requireBody(t, promoted, "two ciao") // what the target says, not where it comes from
	require.Equal(t, *other.ImageDigest, *promoted.ImageDigest)
	require.Equal(t, first.EnvironmentURL, promoted.EnvironmentURL)

	back := reuse(t, first.Environment.ID, "rollback", map[string]any{})
	requireBody(t, back, "one ciao")
	require.Equal(t, *first.ImageDigest, *back.ImageDigest)
	for _, d := range []client.Deployment{promoted, back} {
		for _, s := range stepsOf(t, d.ID) {
			require.Contains(t, []string{"resolve", "release"}, s.Name, "nothing is fetched, planned or built")
		}
	}
}

// reuse asks for a rollback or promotion and waits until it is live.
func reuse(t *testing.T, environment, how string, request map[string]any) client.Deployment {
	t.Helper()
	var d client.Deployment
	require.Equal(t, http.StatusAccepted, dev.call(t, http.MethodPost, "/v1/environments/"+environment+"/"+how, request, &d).status)
	return waitEnd(t, d.ID, "ready")
}

func requireBody(t *testing.T, d client.Deployment, want string) {
	t.Helper()
	status, body := dev.get(t, d.PreviewURL)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, want, body)
}
