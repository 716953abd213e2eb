package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

// newWorldOf is a world whose guard is the real client of git, with a project of each repository URL.
func newWorldOf(t *testing.T, origin string, repos map[string]string) *world {
	t.Helper()
	client, err := source.New(source.Options{TrustedOrigins: []string{origin}})
	require.NoError(t, err)
	w := newWorld(t, func(o *api.Options) { o.Guard = client })
	for name, url := range repos {
		require.Equal(t, http.StatusCreated, w.call("POST", "/v1/projects", `{"name":"`+name+`","repo_url":"`+url+`"}`).status)
	}
	return w
}

func (w *world) productionBranch(project string) string {
	w.t.Helper()
	var p oapi.Project
	w.call("GET", "/v1/projects/"+project, "").into(&p)
	return p.ProductionBranch
}

func TestCreateDeployment_AsksTheRemoteForItsHeadOnce(t *testing.T) {
	t.Parallel()
	git := gitservetest.New(t, gitserve.Options{})
	repo := git.Repo(t, "app")
	gitservetest.Commit(t, repo, "main", map[string]string{"a": "a"})
	_, err := repo.Git(t.Context(), nil, nil, "branch", "trunk", "main")
	require.NoError(t, err)
	_, err = repo.Git(t.Context(), nil, nil, "symbolic-ref", "HEAD", "refs/heads/trunk")
	require.NoError(t, err)
	w := newWorldOf(t, git.URL, map[string]string{"shop": repo.URL})

	require.Equal(t, "branch/main", w.deploy("shop", `{"branch":"main","environment":"branch/main"}`).Environment.Name)
	w.call("POST", "/v1/projects/shop/deployments", `{"branch":"-x"}`).problem(422)
	require.Empty(t, w.productionBranch("shop"), "nothing needed to be asked")
	require.Equal(t, "production", w.deploy("shop", `{"branch":"trunk"}`).Environment.Name)
	require.Equal(t, "trunk", w.productionBranch("shop"))

	_, err = repo.Git(t.Context(), nil, nil, "symbolic-ref", "HEAD", "refs/heads/main")
	require.NoError(t, err)
	require.Equal(t, "branch/main", w.deploy("shop", `{"branch":"main"}`).Environment.Name, "the first answer stands")
}

func TestCreateDeployment_WhenTheRemoteDoesNotTellItsHead(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone.git/info/refs" {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		rw.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(away.Close)
	w := newWorldOf(t, away.URL, map[string]string{"away": away.URL + "/away.git", "gone": away.URL + "/gone.git"})

	p := w.call("POST", "/v1/projects/gone/deployments", `{"branch":"main"}`).problem(422)
	require.Equal(t, "repo_url", *p.Field)
	require.NotEmpty(t, *p.Fix)
	p = w.call("POST", "/v1/projects/away/deployments", `{"branch":"main"}`).problem(503)
	require.Equal(t, "repository_unreachable", p.Code)
	require.Equal(t, "name the environment, or try again", *p.Fix)
	require.JSONEq(t, `{"items":[],"next_cursor":null}`, string(w.call("GET", "/v1/deployments", "").body), "no row was made")
	require.Empty(t, w.productionBranch("away"))

	require.Equal(t, "branch/main", w.deploy("away", `{"branch":"main","environment":"branch/main"}`).Environment.Name)
	require.Equal(t, "production", w.deploy("away", `{}`).Environment.Name)
}
