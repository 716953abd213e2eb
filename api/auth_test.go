package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAuth_EveryRouteOfTheContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	d := w.deploy("shop", `{}`)
	fill := strings.NewReplacer("{project}", "shop", "{id}", d.ID, "{name}", "A")
	routes := 0
	for path, item := range w.spec.Paths.Map() {
		for method := range item.Operations() {
			routes++
			a := w.call(method, fill.Replace(path), "", header{"Authorization", ""})
			if !strings.HasPrefix(path, "/v1/") {
				require.Equal(t, 200, a.status, path)
				continue
			}
			require.Equal(t, "unauthorized", a.problem(401).Code)
			require.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer")
			for _, wrong := range []string{"Bearer wrong", "Bearer ", "Basic " + token, token, "Bearer " + token + "x"} {
				w.call(method, fill.Replace(path), "", header{"Authorization", wrong}).problem(401)
			}
		}
	}
	require.Equal(t, 47, routes)
	require.Len(t, w.deploys.started, 1)
	require.Empty(t, w.deploys.canceled)
}

func TestAuth_ComesBeforeEverythingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1", ""},
		{"GET", "/v1/", ""},
		{"GET", "/v1/nothing/at/all", ""},
		{"DELETE", "/v1/projects", ""},
		{"POST", "/v1/projects", "{"},
		{"GET", "/v1/projects?limit=x", ""},
		{"GET", "/%76%31/projects", ""},
		{"POST", "/v1/projects", strings.Repeat(" ", 2<<20)},
	} {
		w.call(c.method, c.path, c.body, header{"Authorization", ""}).problem(401)
	}
}

func TestAuth_SchemeInAnyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, 200, w.call("GET", "/v1/projects", "", header{"Authorization", "bearer " + token}).status)
	require.Contains(t, w.log.String(), "token=admin", "the access log names the token, not its value")
	require.NotContains(t, w.log.String(), token)
}
