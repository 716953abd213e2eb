package source_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

// newClient returns a client that trusts the given origins.
func newClient(t *testing.T, origins ...string) *source.Client {
	t.Helper()
	client, err := source.New(source.Options{TrustedOrigins: origins})
	require.NoError(t, err)
	return client
}

// requireFailure checks that err holds a failure of that class and code, with a fix, and returns it.
func requireFailure(t *testing.T, err error, class deployment.Class, code string) *deployment.Failure {
	t.Helper()
	require.Error(t, err)
	failure := deployment.AsFailure(err)
	require.Equal(t, code, failure.Code, "%v", err)
	require.Equal(t, class, failure.Class)
	require.NotEmpty(t, failure.Fix)
	return failure
}

// requireEmpty checks that a failed fetch left nothing.
func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.Empty(t, entries)
}

// listing returns what is under dir: path → mode and content or link target.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			if content, err = os.Readlink(path); err != nil {
				return err
			}
			found[name] = "link " + content
			return nil
		}
		found[name] = info.Mode().String() + " " + content
		return nil
	}))
	return found
}

// history makes a repository with three commits on main, the first two not at any tip, an annotated and a light tag of
// the second, and a branch of its own history.
type history struct {
	repo                 *gitservetest.Repo
	first, second, third string
	other                string
}

func newHistory(t *testing.T, server *gitservetest.Server) history {
	t.Helper()
	h := history{repo: server.Repo(t, "app")}
	h.first = gitservetest.Commit(t, h.repo, "main", map[string]string{"n": "1"})
	h.second = gitservetest.Commit(t, h.repo, "main", map[string]string{"n": "2"})
	gitservetest.Tag(t, h.repo, "v2", h.second)
	h.third = gitservetest.Commit(t, h.repo, "main", map[string]string{"n": "3"})
	h.other = gitservetest.Commit(t, h.repo, "feature/x", map[string]string{"n": "other"})
	gitservetest.LightTag(t, h.repo, "light", h.other)
	return h
}

// serverKinds are the answers that Git servers give to a request for a commit that no ref points to.
var serverKinds = map[string]gitserve.Options{"default": {}, "any sha": {AllowAnySHA: true}}

// limited returns a client with a size limit.
func limited(t *testing.T, origin string, maxBytes int64) *source.Client {
	t.Helper()
	client, err := source.New(source.Options{TrustedOrigins: []string{origin}, MaxBytes: maxBytes})
	require.NoError(t, err)
	return client
}

// at is a repository that needs no credential.
func at(url string) deployment.Repository { return deployment.Repository{URL: url} }
