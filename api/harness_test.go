package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/domains"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// A stream is text to the contract; the validator has no decoder of its own for it, and keeps those in a global.
func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.FileBodyDecoder)
	os.Exit(postgrestest.Main(m))
}

const token = "slp_0123456789abcdef"

// world is the API over a real HTTP connection, and what it stands on.
type world struct {
	t       *testing.T
	server  *httptest.Server
	store   *postgres.Store
	logs    *memLogs
	deploys *recorder
	log     *syncBuffer
	spec    *openapi3.T
	router  routers.Router
}

func newWorld(t *testing.T, options ...func(*api.Options)) *world {
	t.Helper()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost", Cipher: reversing{}})
	_, err := store.CreateToken(t.Context(), deployment.Token{Name: "admin"}, deployment.HashToken(token))
	require.NoError(t, err)
	w := &world{t: t, store: store, logs: newMemLogs(), deploys: &recorder{}, log: &syncBuffer{}}
	o := api.Options{
		Store: store, Logs: w.logs, Deploys: w.deploys, Guard: fewHostsGuard{}, DNS: domains.NewResolver(nil), Version: "test",
		URLs:   api.URLs{Gateway: deployment.Gateway{Port: 8000}, Domain: "localhost", TemporalUI: "http://127.0.0.1:8233"},
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, option := range options {
		option(&o)
	}
	handler, err := api.New(o)
	require.NoError(t, err)
	w.server = httptest.NewServer(handler)
	t.Cleanup(w.server.Close)
	w.spec, w.router = contract(t)
	return w
}

// contract reads openapi.yaml with a router of its own, so that an answer is not checked by what made it.
func contract(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	data, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	spec, err := openapi3.NewLoader().LoadFromData(data)
	require.NoError(t, err)
	router, err := gorillamux.NewRouter(spec)
	require.NoError(t, err)
	return spec, router
}

// answer is a response that was read to its end.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (a answer) into(v any) {
	a.t.Helper()
	require.NoError(a.t, json.Unmarshal(a.body, v), "%s", a.body)
}

// problem requires a problem document with that status and returns it.
func (a answer) problem(status int) oapi.Problem {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"))
	var p oapi.Problem
	a.into(&p)
	require.Equal(a.t, status, p.Status)
	require.NotEmpty(a.t, p.Code)
	require.NotEmpty(a.t, p.Detail)
	require.Equal(a.t, a.header.Get("X-Request-Id"), p.RequestID)
	return p
}

type header struct{ name, value string }

// request makes a request with the token; a body is sent as JSON, unless a header says otherwise.
func (w *world) request(method, path, body string, headers ...header) *http.Request {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, reader)
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		req.Header.Del(h.name)
		if h.value != "" {
			req.Header.Set(h.name, h.value)
		}
	}
	return req
}

// call sends a request and checks the answer against the contract.
func (w *world) call(method, path, body string, headers ...header) answer {
	w.t.Helper()
	return w.send(w.request(method, path, body, headers...))
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	resp, err := w.server.Client().Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	w.conforms(req, resp, body)
	return answer{t: w.t, status: resp.StatusCode, header: resp.Header, body: body}
}

func (w *world) conforms(req *http.Request, resp *http.Response, body []byte) {
	w.t.Helper()
	route, params, err := w.router.FindRoute(req)
	if err != nil {
		require.Contains(w.t, []int{401, 404, 405}, resp.StatusCode, "an answer outside the contract: %s", body)
		return
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	require.NoError(w.t, openapi3filter.ValidateResponse(w.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: req, PathParams: params, Route: route, Options: options,
		},
		Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	}), "%s %s answered %d %s", req.Method, req.URL.Path, resp.StatusCode, body)
}

// project creates a project called name.
func (w *world) project(name string) oapi.Project {
	w.t.Helper()
	a := w.call("POST", "/v1/projects", `{"name":"`+name+`","repo_url":"https://git.example.com/team/app.git"}`)
	require.Equal(w.t, http.StatusCreated, a.status, "%s", a.body)
	var p oapi.Project
	a.into(&p)
	return p
}

// deploy makes a deployment.
func (w *world) deploy(project, body string, headers ...header) oapi.Deployment {
	w.t.Helper()
	a := w.call("POST", "/v1/projects/"+project+"/deployments", body, headers...)
	require.Equal(w.t, http.StatusAccepted, a.status, "%s", a.body)
	var d oapi.Deployment
	a.into(&d)
	return d
}

// syncBuffer takes the server's log from several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

const patience = time.Minute
