package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func TestEnvSet(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	p := user(t, api)
	p.stdin = "from stdin\n"
	code, stdout, stderr := p.run("env", "set", "-p", "shop", "A=1=2", "B=", "C", "--target", "runtime")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{`PATCH /v1/projects/shop/env {"vars":[{"name":"A","target":"runtime","value":"1=2"},` +
		`{"name":"B","target":"runtime","value":""},{"name":"C","target":"runtime","value":"from stdin"}]}`}, api.requests())
	require.Equal(t, "NAME  TARGET\nA     runtime\nB     runtime\nC     runtime\n", stdout)
	require.Equal(t, "note: takes effect at the next deployment\n", stderr)
}

func TestEnvOfAnEnvironment(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("env", "set", "-p", "shop", "--environment", "branch/cart", "A=1")
	require.Zero(t, code, stderr)
	require.Equal(t, "NAME  TARGET  FROM\nA     both    environment\n", stdout)
	for _, args := range [][]string{{"list"}, {"unset", "A"}} {
		code, _, stderr = user(t, api).run(append([]string{"env", "-p", "shop", "-e", "branch/cart"}, args...)...)
		require.Zero(t, code, stderr)
	}
	require.Equal(t, "shop branch/cart has no variables\nnote: takes effect at the next deployment\n", stderr)
	p := user(t, api)
	p.stdin = "B=2\n"
	code, _, stderr = p.run("env", "import", "-p", "shop", "-e", "branch/cart", "--replace", "-")
	require.Zero(t, code, stderr)
	const query = "?environment=branch%2Fcart"
	require.Equal(t, []string{
		"PATCH /v1/projects/shop/env" + query + ` {"vars":[{"name":"A","target":"both","value":"1"}]}`,
		"GET /v1/projects/shop/env" + query, "DELETE /v1/projects/shop/env/A" + query,
		"PUT /v1/projects/shop/env" + query + ` {"vars":[{"name":"B","target":"both","value":"2"}]}`,
	}, api.requests())
}

func TestEnvMeansTheOnlyProject(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("env", "list", "-o", "json")
	require.Zero(t, code, stderr)
	require.JSONEq(t, `{"vars":[],"note":"takes effect at the next deployment"}`, stdout)

	api.projects = append(api.projects, project("other"))
	code, _, stderr = user(t, api).run("env", "list")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "error: there is more than one project; say which")

	api.projects = []oapi.Project{}
	code, _, stderr = user(t, api).run("deploy")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: there is no project yet")
}

func TestEnvUnset(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	both := oapi.EnvTargetBoth
	api.vars = []oapi.EnvVarInput{{Name: "A", Target: &both}, {Name: "B", Target: &both}, {Name: "C", Target: &both}}
	code, stdout, stderr := user(t, api).run("env", "unset", "-p", "shop", "A", "C")
	require.Zero(t, code, stderr)
	require.Equal(t, "NAME  TARGET\nB     both\n", stdout)
	code, _, stderr = user(t, api).run("env", "unset", "-p", "shop", "A")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: no variable is called \"A\"\n", stderr)
}

func TestEnvImport(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(path, []byte("export A=1\nB=\"x\ny\"\n"), 0o600))
	code, _, stderr := user(t, api).run("env", "import", "-p", "shop", path)
	require.Zero(t, code, stderr)

	p := user(t, api)
	p.stdin = "C=3\n"
	code, stdout, stderr := p.run("env", "import", "-p", "shop", "--replace", "--target", "build", "-")
	require.Zero(t, code, stderr)
	require.Equal(t, "NAME  TARGET\nC     build\n", stdout)
	require.Equal(t, []string{
		`PATCH /v1/projects/shop/env {"vars":[{"name":"A","target":"both","value":"1"},{"name":"B","target":"both","value":"x\ny"}]}`,
		`PUT /v1/projects/shop/env {"vars":[{"name":"C","target":"build","value":"3"}]}`,
	}, api.requests())
}

func TestEnvImportSetsNothingWhenALineIsWrong(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	for content, want := range map[string]string{
		"A=1\nhunter2": "error: import variables: -: line 2: has no =\nfix: write NAME=value; quote a value that has several lines\n",
		"# nothing":    "error: import variables: - holds none\nfix: write lines like NAME=value\n",
	} {
		p := user(t, api)
		p.stdin = content
		code, _, stderr := p.run("env", "import", "-p", "shop", "-")
		require.Equal(t, exitError, code)
		require.Equal(t, want, stderr)
	}
	code, _, stderr := user(t, api).run("env", "import", "-p", "shop", "/nowhere/.env")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: import variables: open /nowhere/.env: no such file")
	require.Empty(t, api.requests())
}
