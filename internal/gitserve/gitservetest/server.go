package gitservetest

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve"
)

// Server is a running git server.
type Server struct {
	URL  string // scheme, host and port, without a final slash: also the origin to trust
	Root string // the folder of its repositories
}

// New starts a server that stops with the test. An empty o.Root becomes a folder of the test's own.
func New(tb testing.TB, o gitserve.Options) *Server {
	tb.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		tb.Skip("git is not installed")
	}
	if o.Root == "" {
		o.Root = tb.TempDir()
	}
	handler, err := gitserve.Handler(o)
	require.NoError(tb, err)
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	return &Server{URL: server.URL, Root: o.Root}
}

// Repo makes an empty repository with that name, or finds the one that was made before.
func (s *Server) Repo(tb testing.TB, name string) *Repo {
	tb.Helper()
	repo, err := gitserve.Init(tb.Context(), filepath.Join(s.Root, name+".git"))
	require.NoError(tb, err)
	return &Repo{Repository: repo, URL: s.URL + "/" + name + ".git"}
}
