package api_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

// badInput is a request that must be refused, naming the field, without anything being made or started.
type badInput struct {
	name, method, path, body string
	headers                  []header
	status                   int
	field                    string
}

const projects = "/v1/projects"

func projectWith(fields string) string {
	return `{"name":"new","repo_url":"https://git.example.com/x.git",` + fields + `}`
}

func projectAt(url string) string { return `{"name":"new","repo_url":"` + url + `"}` }

func badProjects() []badInput {
	post := func(name, body string, status int, field string) badInput {
		return badInput{name: name, method: "POST", path: projects, body: body, status: status, field: field}
	}
	return []badInput{
		post("unknown field", projectWith(`"colour":"red"`), 422, "colour"),
		post("unknown nested field", projectWith(`"health_check":{"pfad":"/"}`), 422, "health_check.pfad"),
		post("wrong type", projectWith(`"port":"http"`), 422, "port"),
		post("fraction", projectWith(`"port":30.5`), 422, "port"),
		post("integer written as a fraction", projectWith(`"port":30.0`), 422, "port"),
		post("huge number", projectWith(`"port":1e400`), 422, "port"),
		post("object for a string", projectWith(`"root_dir":{}`), 422, "root_dir"),
		post("list for the body", `[]`, 422, "body"),
		post("null for the body", `null`, 422, "body"),
		post("no name", `{"repo_url":"https://git.example.com/x.git"}`, 422, "name"),
		post("no URL", `{"name":"new"}`, 422, "repo_url"),
		post("5,000-character name", strings.ReplaceAll(projectAt("https://git.example.com/x.git"), "new", strings.Repeat("a", 5000)), 422, "name"),
		post("name with capitals", strings.ReplaceAll(projectAt("https://git.example.com/x.git"), "new", "New App"), 422, "name"),
		post("not a URL", projectAt("shop"), 422, "repo_url"),
		post("file URL", projectAt("file:///etc/passwd"), 422, "repo_url"),
		post("ext URL", projectAt("ext::sh -c id"), 422, "repo_url"),
		post("metadata address", projectAt("http://169.254.169.254/"), 422, "repo_url"),
		post("metadata address by https", projectAt("https://169.254.169.254/x.git"), 422, "repo_url"),
		post("name of a loopback address", projectAt("https://localtest.example.com/x.git"), 422, "repo_url"),
		post("credentials in the URL", projectAt("https://user:hunter2@git.example.com/x.git"), 422, "repo_url"),
		post("root_dir outside", projectWith(`"root_dir":"../.."`), 422, "root_dir"),
		post("unknown builder", projectWith(`"builder":"make"`), 422, "builder"),
		post("NUL in a command", projectWith(`"start_command":"a\u0000b"`), 422, "start_command"),
		post("bad branch", projectWith(`"production_branch":"-x"`), 422, "production_branch"),
		post("health check status", projectWith(`"health_check":{"status":42}`), 422, "health_check.status"),
		post("broken JSON", `{"name":`, 400, "body"),
		post("two JSON values", projectAt("https://git.example.com/x.git")+`{}`, 400, "body"),
		post("deep JSON", strings.Repeat("[", 200_000), 400, "body"),
		post("no body", ``, 400, "body"),
		post("10 MB body", projectWith(`"root_dir":"`+strings.Repeat("a", 10<<20)+`"`), 413, "body"),
		{"not declared as JSON", "POST", projects, projectAt("x"), []header{{"Content-Type", ""}}, 415, "Content-Type"},
		{"form body", "POST", projects, "name=x", []header{{"Content-Type", "application/x-www-form-urlencoded"}}, 415, "Content-Type"},
	}
}

func badDeployments(id string) []badInput {
	post := func(name, body, field string) badInput {
		return badInput{name: name, method: "POST", path: projects + "/shop/deployments", body: body, status: 422, field: field}
	}
	withKey := func(name, key string) badInput {
		return badInput{name, "POST", projects + "/shop/deployments", `{}`, []header{{"Idempotency-Key", key}}, 400, "Idempotency-Key"}
	}
	return []badInput{
		post("ref starting with a hyphen", `{"branch":"--upload-pack=id"}`, "branch"),
		post("tag starting with a hyphen", `{"tag":"-x","environment":"production"}`, "tag"),
		post("empty branch", `{"branch":""}`, "branch"),
		post("5,000-character branch", `{"branch":"`+strings.Repeat("b", 5000)+`"}`, "branch"),
		post("commit that is none", `{"commit":"not hex","environment":"production"}`, "commit"),
		post("branch and tag", `{"branch":"main","tag":"v1","environment":"production"}`, "tag"),
		post("tag without environment", `{"tag":"v1"}`, "environment"),
		post("commit without environment", `{"commit":"abcdef0123"}`, "environment"),
		post("unknown environment", `{"environment":"staging"}`, "environment"),
		post("NUL in environment", `{"environment":"branch/\u0000"}`, "environment"),
		post("unknown field", `{"ref":"main"}`, "ref"),
		post("wrong type of force", `{"force":"yes"}`, "force"),
		post("wrong type", `{"branch":7}`, "branch"),
		withKey("long key", strings.Repeat("k", 256)),
		withKey("key that is not ASCII", "schlüssel"),
		{"no such project", "POST", projects + "/nope/deployments", `{}`, nil, 404, "project"},
		{"id that is none", "GET", "/v1/deployments/nope", "", nil, 400, "id"},
		{"id that nobody has", "GET", "/v1/deployments/" + newID(), "", nil, 404, "id"},
		{"logs of nobody", "GET", "/v1/deployments/" + newID() + "/logs", "", []header{{"Accept", "text/event-stream"}}, 404, "id"},
		{"negative after", "GET", "/v1/deployments/" + id + "/logs?after=-1", "", nil, 400, "after"},
		{"huge after", "GET", "/v1/deployments/" + id + "/logs?after=99999999999999999999", "", nil, 400, "after"},
		{"too many lines", "GET", "/v1/deployments/" + id + "/logs?limit=1001", "", nil, 400, "limit"},
		{"Last-Event-ID that is none", "GET", "/v1/deployments/" + id + "/logs", "", []header{{"Last-Event-ID", "x"}}, 400, "Last-Event-ID"},
	}
}

func badLists() []badInput {
	get := func(name, query, field string) badInput {
		return badInput{name: name, method: "GET", path: "/v1/deployments?" + query, status: 400, field: field}
	}
	return []badInput{
		get("invalid cursor", "cursor=%3Cscript%3E", "cursor"),
		get("empty cursor", "cursor=", "cursor"),
		get("limit of nothing", "limit=0", "limit"),
		get("limit that is no number", "limit=many", "limit"),
		get("limit given twice", "limit=1&limit=2", "limit"),
		get("unknown status", "status=done", "status"),
		get("unknown parameter", "stauts=ready", "stauts"),
		get("project that is not UTF-8", "project=%ff", "project"),
		get("NUL in environment", "environment=a%00", "environment"),
		get("query that cannot be read", "project=%zz", "query"),
		{name: "NUL in the path", method: "GET", path: projects + "/a%00b", status: 400, field: "project"},
		{name: "path that is not UTF-8", method: "GET", path: projects + "/%ff", status: 400, field: "project"},
		{name: "long path", method: "GET", path: projects + "/" + strings.Repeat("p", 5000), status: 400, field: "project"},
	}
}

func badEnv() []badInput {
	put := func(name, body, field string) badInput {
		return badInput{name: name, method: "PUT", path: projects + "/shop/env", body: body, status: 422, field: field}
	}
	return []badInput{
		put("no vars", `{}`, "vars"),
		put("name with a space", `{"vars":[{"name":"A","value":""},{"name":"A B","value":""}]}`, "vars[1].name"),
		put("PORT", `{"vars":[{"name":"PORT","value":"1"}]}`, "vars[0].name"),
		put("SLIPWAY_", `{"vars":[{"name":"SLIPWAY_X","value":"1"}]}`, "vars[0].name"),
		put("twice", `{"vars":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}`, "vars[1].name"),
		put("no value", `{"vars":[{"name":"A"}]}`, "vars[0].value"),
		put("wrong target", `{"vars":[{"name":"A","value":"","target":"test"}]}`, "vars[0].target"),
		put("NUL in value", `{"vars":[{"name":"A","value":"\u0000"}]}`, "vars[0].value"),
		put("long value", `{"vars":[{"name":"A","value":"`+strings.Repeat("v", 40<<10)+`"}]}`, "vars[0].value"),
		{"name that no environment can have", "PUT", projects + "/shop/env?environment=staging", `{"vars":[]}`, nil, 400, "environment"},
		{"environment id that nobody has", "PATCH", projects + "/shop/env?environment=" + newID(), `{"vars":[]}`, nil, 404, "environment"},
		{"environment that is not there", "GET", projects + "/shop/env?environment=branch/x", "", nil, 404, "environment"},
		{"empty environment", "GET", projects + "/shop/env?environment=", "", nil, 400, "environment"},
		{"variable of an environment that is not there", "DELETE", projects + "/shop/env/A?environment=branch/x", "", nil, 404, "environment"},
	}
}

func badEnvironments() []badInput {
	return []badInput{
		{"environments of no project", "GET", projects + "/nope/environments", "", nil, 404, "project"},
		{"cursor of another list", "GET", projects + "/shop/environments?cursor=cDphcHA", "", nil, 400, "cursor"},
		{"environment id that is none", "GET", "/v1/environments/production", "", nil, 400, "id"},
		{"environment that nobody has", "GET", "/v1/environments/" + newID(), "", nil, 404, "id"},
		{"deletion of an environment that nobody has", "DELETE", "/v1/environments/" + newID(), "", nil, 404, "id"},
		{"deletion of a project that is not there", "DELETE", projects + "/nope", "", nil, 404, "project"},
		{"deletion that nobody asked for", "GET", "/v1/deletions/" + newID(), "", nil, 404, "id"},
		{"deletion id that is none", "GET", "/v1/deletions/nope", "", nil, 400, "id"},
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	deployment := w.deploy("shop", `{}`)
	cases := append(badProjects(), badDeployments(deployment.ID)...)
	cases = append(append(append(cases, badLists()...), badEnv()...), badEnvironments()...)
	for _, c := range cases {
		a := w.call(c.method, c.path, c.body, c.headers...)
		require.Equal(t, c.status, a.status, "%s: %s", c.name, a.body)
		p := a.problem(c.status)
		require.NotNil(t, p.Field, "%s: %s", c.name, a.body)
		require.Equal(t, c.field, *p.Field, "%s: %s", c.name, a.body)
		require.Equal(t, c.field, p.Errors[0].Field, "%s: %s", c.name, a.body)
	}
	var made oapi.ProjectList
	w.call("GET", projects, "").into(&made)
	require.Len(t, made.Items, 1)
	require.Len(t, w.deploys.started, 1, "only the deploy of the set-up was started")
	var env oapi.Env
	w.call("GET", projects+"/shop/env", "").into(&env)
	require.Empty(t, env.Vars)
	require.Len(t, w.environments("shop"), 1, "production, of the set-up's deploy")
	require.Empty(t, w.deploys.tornDown)
}

func TestBadInput_NamesEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.call("POST", projects, `{"name":"A","repo_url":"x","port":70000,"colour":1,"size":2}`).problem(422)
	fields := []string{}
	for _, f := range p.Errors {
		fields = append(fields, f.Field)
		require.NotEmpty(t, f.Fix)
	}
	require.ElementsMatch(t, []string{"colour", "port", "size"}, fields)
	p = w.call("POST", projects, `{"name":"A","repo_url":"x","root_dir":"/"}`).problem(422)
	require.Len(t, p.Errors, 3, "the domain's faults come once the shape is right")
}

func TestBadInput_NeverRepeatsValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop")
	for _, body := range []string{
		`{"vars":[{"name":"A","value":["hunter2"]}]}`, `{"vars":[{"name":"A","value":"hunter2","target":"hunter2"}]}`,
		`{"vars":"hunter2"}`, `{"vars":[{"name":"A","value":"hunter2` + strings.Repeat("x", 40<<10) + `"}]}`,
	} {
		a := w.call("PUT", projects+"/shop/env", body)
		a.problem(http.StatusUnprocessableEntity)
		require.False(t, bytes.Contains(a.body, []byte("hunter2")), "%s", a.body)
	}
	require.NotContains(t, w.log.String(), "hunter2")
}

func TestRouting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, "no_such_route", w.call("GET", "/v1/nothing", "").problem(404).Code)
	require.Equal(t, "no_such_route", w.call("GET", "/v1/projects/", "").problem(404).Code)
	require.Equal(t, "no_such_route", w.call("GET", "/", "").problem(404).Code)
	a := w.call("PUT", "/v1/projects", `{}`)
	require.Equal(t, "method_not_allowed", a.problem(405).Code)
	require.ElementsMatch(t, []string{"GET", "POST"}, strings.Split(a.header.Get("Allow"), ", "))
}
