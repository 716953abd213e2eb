package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

const (
	testToken = "test-token"
	projectID = "0193a5c2-0000-7000-8000-000000000001"
	envID     = "0193a5c2-0000-7000-8000-0000000000e1"
)

// noon is the time in tests.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fakeAPI serves the contract from memory. Every request and every answer but streams is held against openapi.yaml.
type fakeAPI struct {
	oapi.ServerInterface // the operations that no command calls
	t                    *testing.T
	url                  string

	mu           sync.Mutex
	projects     []oapi.Project
	deployments  []oapi.Deployment // newest first
	vars         []oapi.EnvVarInput
	lines        []oapi.LogLine
	seen         []string // "POST /v1/projects {...}"
	keys         map[string]int
	problem      *oapi.Problem // answers everything when set
	first        []refusal     // answer what comes first, one each
	lose         *refusal      // answers the next deploy, although it was accepted
	sentKeys     []string      // of requests for a deployment, in order
	pageLimit    int           // smaller pages than asked for
	stream       func(c *gin.Context, connection int, last int64)
	connections  int
	receipt      []oapi.Undone
	onGet        func(d *oapi.Deployment) // before a deployment is given
	environments []oapi.Environment
	deletions    []oapi.Deletion            // what looks at one see, one after the other; then it is over
	warning      *oapi.GitCredentialWarning // of a credential that is set
	tokens       []oapi.Token
	domains      []oapi.Domain
	previews     []oapi.Preview                  // newest first
	onPreview    func(p *oapi.Preview)           // before a preview is given
	onStats      func(p *oapi.Preview, look int) // before its figures are, with the number of the look
	statsLooks   int
	requestsOf   oapi.PreviewRequests
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{t: t, keys: map[string]int{}, pageLimit: 1000, projects: []oapi.Project{project("shop")}}
	engine := gin.New()
	engine.Use(f.record, contract(t), f.guard)
	oapi.RegisterHandlers(engine, f)
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func init() { gin.SetMode(gin.TestMode) }

func (f *fakeAPI) record(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		f.t.Errorf("read request: %v", err)
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, strings.TrimSpace(c.Request.Method+" "+c.Request.URL.RequestURI()+" "+string(body)))
}

// requests returns what was sent.
func (f *fakeAPI) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.seen...)
}

func (f *fakeAPI) guard(c *gin.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasPrefix(c.Request.URL.Path, "/v1/") {
		return
	}
	if c.GetHeader("Authorization") != "Bearer "+testToken {
		refuse(c, oapi.Problem{Status: 401, Code: "unauthenticated", Detail: "no valid token"})
	} else if f.problem != nil {
		refuse(c, *f.problem)
	} else if len(f.first) > 0 {
		now := f.first[0]
		f.first = f.first[1:]
		now.answer(c)
	}
}

// refusal is a problem that says when to ask again.
type refusal struct {
	oapi.Problem
	after string
}

func (r refusal) answer(c *gin.Context) {
	c.Header("Retry-After", r.after)
	refuse(c, r.Problem)
}

func refuse(c *gin.Context, p oapi.Problem) {
	p.Type, p.Title, p.RequestID = "about:blank", http.StatusText(p.Status), "req-1"
	if p.Errors == nil {
		p.Errors = []oapi.FieldFault{}
	}
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(p.Status, p)
}

func notFound(c *gin.Context, detail string) {
	refuse(c, oapi.Problem{Status: 404, Code: "not_found", Detail: detail})
}

// contract fails the test when a request or an answer is not what openapi.yaml says.
func contract(t *testing.T) gin.HandlerFunc {
	t.Helper()
	spec, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "api", "openapi.yaml"))
	require.NoError(t, err)
	found := map[string]*routers.Route{}
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			found[method+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)] = &routers.Route{
				Spec: spec, Path: path, PathItem: item, Method: method, Operation: operation,
			}
		}
	}
	return func(c *gin.Context) {
		params := map[string]string{}
		for _, p := range c.Params {
			params[p.Key] = p.Value
		}
		input := &openapi3filter.RequestValidationInput{
			Request: c.Request, PathParams: params, Route: found[c.Request.Method+" "+c.FullPath()], QueryParams: c.Request.URL.Query(),
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true},
		}
		if err := openapi3filter.ValidateRequest(c.Request.Context(), input); err != nil {
			t.Errorf("%s %s: %v", c.Request.Method, c.Request.URL, err)
		}
		copied := &copyingWriter{ResponseWriter: c.Writer}
		c.Writer = copied
		c.Next()
		if c.GetHeader("Accept") == "text/event-stream" {
			return
		}
		err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: c.Writer.Status(), Header: c.Writer.Header(),
			Body: io.NopCloser(&copied.body), Options: &openapi3filter.Options{},
		})
		if err != nil {
			t.Errorf("answer to %s %s: %v", c.Request.Method, c.Request.URL, err)
		}
	}
}

type copyingWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *copyingWriter) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

func project(name string) oapi.Project {
	return oapi.Project{
		ID: projectID, Name: name, RepoURL: "https://git.example.com/team/" + name + ".git", RootDir: ".", Builder: "auto",
		Dockerfile: oapi.DockerfileSettings{Path: "Dockerfile", BuildArgs: map[string]string{}}, Static: oapi.StaticSettings{Headers: []oapi.StaticHeader{}},
		Strict: []string{}, Repairs: "on", BuildNetwork: "sandbox", Provenance: "off",
		HealthCheck: oapi.HealthCheck{Path: "/", TimeoutSeconds: 60}, BuildTimeoutSeconds: 1800, ReleaseTimeoutSeconds: 600,
		Resources: oapi.Resources{Cpus: 0.5, MemoryMB: 512, Pids: 512, LogMB: 30}, CreatedAt: noon.Add(-time.Hour), UpdatedAt: noon.Add(-time.Hour),
	}
}

func deploymentID(number int) string {
	return "0193a5c2-0000-7000-8000-1000000000" + strconv.Itoa(10+number)
}

func made(number int, status oapi.DeploymentStatus) oapi.Deployment {
	return oapi.Deployment{
		ID: deploymentID(number), Number: number, Project: "shop", ProjectID: projectID, Status: status,
		Environment: oapi.EnvironmentRef{ID: envID, Name: "production"}, Commit: new("3f2a9c1e" + strings.Repeat("0", 32)),
		Ref: new("main"), WorkflowID: "deploy/" + deploymentID(number), PreviewURL: "http://" + strconv.Itoa(number) + "-preview.localhost:8000",
		EnvironmentURL: "http://shop.localhost:8000", Warnings: []oapi.Warning{}, CreatedAt: noon.Add(-time.Minute),
	}
}

func (f *fakeAPI) Readyz(c *gin.Context) {
	c.JSON(200, oapi.Readiness{Status: "ok", Version: "test", Components: map[string]oapi.ComponentState{}})
}

func (f *fakeAPI) ListProjects(c *gin.Context, params oapi.ListProjectsParams) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from, to, next := f.page(len(f.projects), params.Limit, params.Cursor)
	c.JSON(200, oapi.ProjectList{Items: f.projects[from:to], NextCursor: next})
}

// page cuts a list; cursors are offsets.
func (f *fakeAPI) page(size int, limit *int, cursor *string) (from, to int, next *string) {
	if cursor != nil {
		from, _ = strconv.Atoi(*cursor)
	}
	step := 50
	if limit != nil {
		step = *limit
	}
	if to = from + min(step, f.pageLimit); to >= size {
		return from, size, nil
	}
	return from, to, new(strconv.Itoa(to))
}

func (f *fakeAPI) CreateProject(c *gin.Context) {
	var body oapi.ProjectCreate
	require.NoError(f.t, c.BindJSON(&body))
	p := project(body.Name)
	p.RepoURL = body.RepoURL
	c.Header("Location", "/v1/projects/"+p.ID)
	c.JSON(201, p)
}

func (f *fakeAPI) GetProject(c *gin.Context, name oapi.ProjectPath) {
	for _, p := range f.projects {
		if p.Name == name {
			c.JSON(200, p)
			return
		}
	}
	notFound(c, `no project is called "`+name+`"`)
}

func (f *fakeAPI) UpdateProject(c *gin.Context, name oapi.ProjectPath) { c.JSON(200, project(name)) }

func (f *fakeAPI) DeleteProject(c *gin.Context, _ oapi.ProjectPath) { f.deletion(c, 202) }

func (f *fakeAPI) DeleteEnvironment(c *gin.Context, _ oapi.EnvironmentPath) { f.deletion(c, 202) }

func (f *fakeAPI) GetDeletion(c *gin.Context, _ string) { f.deletion(c, 200) }

func (f *fakeAPI) ListDeletions(c *gin.Context) {
	c.JSON(200, oapi.DeletionList{Items: append([]oapi.Deletion{}, f.deletions...)})
}

// deletion gives the next look at one.
func (f *fakeAPI) deletion(c *gin.Context, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.deletions) == 0 {
		notFound(c, "nothing is left")
		return
	}
	d := f.deletions[0]
	f.deletions = f.deletions[1:]
	c.Header("Location", "/v1/deletions/"+d.ID)
	c.JSON(status, d)
}

func environmentOf(name string, live int) oapi.Environment {
	e := oapi.Environment{
		ID: envID, Name: name, Kind: oapi.EnvironmentKindBranch, Project: "shop", ProjectID: projectID,
		URL: "http://shop-cart-preview.localhost:8000", OrderPolicy: oapi.OrderPolicySupersede, CreatedAt: noon.Add(-time.Hour),
	}
	if live > 0 {
		e.LiveDeployment = &oapi.LiveDeployment{ID: deploymentID(live), Number: live}
	}
	return e
}

func (f *fakeAPI) ListEnvironments(c *gin.Context, _ oapi.ProjectPath, params oapi.ListEnvironmentsParams) {
	from, to, next := f.page(len(f.environments), params.Limit, params.Cursor)
	c.JSON(200, oapi.EnvironmentList{Items: append([]oapi.Environment{}, f.environments[from:to]...), NextCursor: next})
}

func (f *fakeAPI) GetEnvironment(c *gin.Context, _ oapi.EnvironmentPath) {
	c.JSON(200, f.environments[0])
}

func (f *fakeAPI) UpdateEnvironment(c *gin.Context, _ oapi.EnvironmentPath) {
	var body oapi.EnvironmentUpdate
	require.NoError(f.t, c.BindJSON(&body))
	e := f.environments[0]
	e.OrderPolicy = *body.OrderPolicy
	c.JSON(200, e)
}

func (f *fakeAPI) env(c *gin.Context) {
	vars := []oapi.EnvVar{}
	source := oapi.EnvSourceProject
	if c.Query("environment") != "" {
		source = oapi.EnvSourceEnvironment
	}
	for _, v := range f.vars {
		vars = append(vars, oapi.EnvVar{Name: v.Name, Target: *v.Target, Source: source})
	}
	c.JSON(200, oapi.Env{Vars: vars, Note: "takes effect at the next deployment"})
}

func (f *fakeAPI) ListEnv(c *gin.Context, _ oapi.ProjectPath, _ oapi.ListEnvParams) { f.env(c) }

func (f *fakeAPI) ReplaceEnv(c *gin.Context, _ oapi.ProjectPath, _ oapi.ReplaceEnvParams) {
	var body oapi.EnvInput
	require.NoError(f.t, c.BindJSON(&body))
	f.vars = body.Vars
	f.env(c)
}

func (f *fakeAPI) MergeEnv(c *gin.Context, _ oapi.ProjectPath, _ oapi.MergeEnvParams) {
	var body oapi.EnvInput
	require.NoError(f.t, c.BindJSON(&body))
	f.vars = append(f.vars, body.Vars...)
	f.env(c)
}

func (f *fakeAPI) DeleteEnv(c *gin.Context, _ oapi.ProjectPath, name string, _ oapi.DeleteEnvParams) {
	for i, v := range f.vars {
		if v.Name == name {
			f.vars = append(f.vars[:i:i], f.vars[i+1:]...)
			f.env(c)
			return
		}
	}
	notFound(c, `no variable is called "`+name+`"`)
}

func (f *fakeAPI) SetGitCredential(c *gin.Context, _ oapi.ProjectPath) {
	var body oapi.GitCredentialInput
	require.NoError(f.t, c.BindJSON(&body))
	set := oapi.GitCredential{Kind: body.Kind, Host: "git.example.com", Active: true, Username: body.Username, UpdatedAt: noon}
	if body.Kind == oapi.GitCredentialKindSSHKey {
		set.Fingerprint = new("SHA256:x")
	}
	c.JSON(200, oapi.GitCredentialAnswer{GitCredential: &set, Warning: f.warning})
}

func (f *fakeAPI) DeleteGitCredential(c *gin.Context, _ oapi.ProjectPath) { c.Status(204) }

func (f *fakeAPI) CreateDeployment(c *gin.Context, _ oapi.ProjectPath, params oapi.CreateDeploymentParams) {
	f.accept(c, params.IdempotencyKey, nil)
}

func (f *fakeAPI) RollbackEnvironment(c *gin.Context, _ oapi.EnvironmentPath, params oapi.RollbackEnvironmentParams) {
	f.accept(c, params.IdempotencyKey, new(deploymentID(1)))
}

func (f *fakeAPI) PromoteDeployment(c *gin.Context, _ oapi.EnvironmentPath, params oapi.PromoteDeploymentParams) {
	f.accept(c, params.IdempotencyKey, new(deploymentID(1)))
}

// accept makes a deployment, or answers with the one that the key has made.
func (f *fakeAPI) accept(c *gin.Context, key, reusedFrom *string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotNil(f.t, key, "every deploy carries a key")
	f.sentKeys = append(f.sentKeys, *key)
	if i, known := f.keys[*key]; known {
		c.Header("Idempotency-Replayed", "true")
		c.JSON(202, f.deployments[len(f.deployments)-1-i])
		return
	}
	f.keys[*key] = len(f.deployments)
	d := made(len(f.deployments)+1, oapi.DeploymentStatusQueued)
	d.ReusedFrom = reusedFrom
	f.deployments = append([]oapi.Deployment{d}, f.deployments...)
	if f.lose != nil {
		f.lose.answer(c)
		f.lose = nil
		return
	}
	c.Header("Location", "/v1/deployments/"+d.ID)
	c.JSON(202, d)
}

func (f *fakeAPI) ListDeployments(c *gin.Context, params oapi.ListDeploymentsParams) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items := []oapi.Deployment{}
	for _, d := range f.deployments {
		if (params.Status == nil || d.Status == *params.Status) && (params.Environment == nil || d.Environment.Name == *params.Environment) {
			d.Build = nil // as the API does
			items = append(items, d)
		}
	}
	from, to, next := f.page(len(items), params.Limit, params.Cursor)
	c.JSON(200, oapi.DeploymentList{Items: items[from:to], NextCursor: next})
}

// find answers 404 for a deployment that is not there.
func (f *fakeAPI) find(c *gin.Context, id string) *oapi.Deployment {
	for i := range f.deployments {
		if f.deployments[i].ID == id {
			return &f.deployments[i]
		}
	}
	notFound(c, "no deployment has this id")
	return nil
}

func (f *fakeAPI) GetDeployment(c *gin.Context, id oapi.DeploymentPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.find(c, id); d != nil {
		if f.onGet != nil {
			f.onGet(d)
		}
		c.JSON(200, *d)
	}
}

func (f *fakeAPI) CancelDeployment(c *gin.Context, id oapi.DeploymentPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.find(c, id); d != nil {
		d.Status = oapi.DeploymentStatusCanceling
		c.JSON(202, *d)
	}
}

func (f *fakeAPI) RetryDeployment(c *gin.Context, id oapi.DeploymentPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.find(c, id); d != nil {
		d.Status = oapi.DeploymentStatusQueued
		c.JSON(202, *d)
	}
}

func (f *fakeAPI) GetDockerfile(c *gin.Context, _ oapi.DeploymentPath) {
	c.String(200, "FROM debian:bookworm\nRUN true\n")
}

func (f *fakeAPI) GetPlan(c *gin.Context, _ oapi.DeploymentPath) {
	c.JSON(200, oapi.Plan{
		Digest: "sha256:aa", Builder: "nixpacks", BuilderVersion: new("1.41.0"), Providers: []string{"node"}, RootDir: ".",
		Versions: map[string]string{"node": "22"}, Base: new("debian:bookworm"),
		StartCommand: new("npm start"), Port: 3000, Variables: map[string]string{"NODE_ENV": "production"}, Secrets: []string{"NPM_TOKEN"},
		Ignore: []string{}, Warnings: []oapi.Warning{}, BuildArgs: map[string]string{}, Assets: map[string]string{},
		InstallFiles: []string{"package.json", "package-lock.json"},
	})
}

func (f *fakeAPI) ListSteps(c *gin.Context, _ oapi.DeploymentPath) {
	c.JSON(200, oapi.StepList{Items: []oapi.Step{
		{Name: "resolve", Attempt: 1, Status: "succeeded", StartedAt: noon.Add(-time.Minute), FinishedAt: new(noon.Add(-59 * time.Second)), Host: new("host-1")},
		{Name: "build", Phase: new("solve"), Attempt: 2, Status: "running", StartedAt: noon.Add(-50 * time.Second)},
	}, Receipt: append([]oapi.Undone{}, f.receipt...)})
}

func (f *fakeAPI) GetLogs(c *gin.Context, id oapi.DeploymentPath, params oapi.GetLogsParams) {
	if strings.Contains(c.GetHeader("Accept"), "text/event-stream") {
		f.mu.Lock()
		f.connections++
		connection := f.connections
		f.mu.Unlock()
		var last int64
		if params.LastEventID != nil {
			last = *params.LastEventID
		}
		f.stream(c, connection, last)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	page := oapi.LogPage{Items: []oapi.LogLine{}, NextAfter: *params.After}
	for _, line := range f.lines {
		if line.Seq > *params.After && len(page.Items) < f.pageLimit {
			page.Items, page.NextAfter = append(page.Items, line), line.Seq
		}
	}
	d := f.find(c, id)
	page.Ended = (d.Status == oapi.DeploymentStatusReady) && page.NextAfter == int64(len(f.lines))
	c.JSON(200, page)
}
