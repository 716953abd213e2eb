package gitserve

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// Options say what a Handler serves and to whom.
type Options struct {
	// Root is the folder of the bare repositories; root/<name>.git is served as /<name>.git.
	Root string
	// AllowAnySHA lets clients ask for any commit, not only for what a ref points to, as the large hosters do.
	AllowAnySHA bool
	// Auth checks a user and a password; nil serves everybody.
	Auth func(user, pass string) bool
	// Log receives what git says on its standard error; nil discards it.
	Log io.Writer
}

// served are the only two requests of a smart fetch. Everything else, pushes and the files of the dumb protocol included,
// is not found.
var served = regexp.MustCompile(`^/[A-Za-z0-9][A-Za-z0-9._-]*\.git/(info/refs|git-upload-pack)$`)

// Handler returns a handler that serves the repositories under o.Root for fetching. It fails when git is not installed.
func Handler(o Options) (http.Handler, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("serve repositories: %w", err)
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, fmt.Errorf("serve repositories: %w", err)
	}
	return &handler{options: o, backend: backend(git, root, o)}, nil
}

type handler struct {
	options Options
	backend *cgi.Handler
}

func backend(git, root string, o Options) *cgi.Handler {
	stderr := o.Log
	if stderr == nil {
		stderr = io.Discard
	}
	env := environ(map[string]string{
		"http.uploadpack":               "true",
		"http.receivepack":              "false",
		"uploadpack.allowAnySHA1InWant": strconv.FormatBool(o.AllowAnySHA),
	})
	return &cgi.Handler{
		Path:   git,
		Args:   []string{"http-backend"},
		Env:    append(env, "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1"),
		Stderr: stderr,
		Logger: log.New(stderr, "", 0), // else a client that goes away is reported to the standard logger
	}
}

// ServeHTTP answers the two requests of a fetch.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.options.Auth != nil {
		user, pass, ok := r.BasicAuth()
		if !ok || !h.options.Auth(user, pass) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "credentials are needed", http.StatusUnauthorized)
			return
		}
	}
	match := served.FindStringSubmatch(r.URL.Path)
	if match == nil || !fetches(r, match[1]) {
		http.NotFound(w, r)
		return
	}
	h.backend.ServeHTTP(w, r)
}

func fetches(r *http.Request, what string) bool {
	if what == "info/refs" {
		return r.Method == http.MethodGet && r.URL.Query().Get("service") == "git-upload-pack"
	}
	return r.Method == http.MethodPost
}
