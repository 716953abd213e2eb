package source

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRemoteCommandIsWhatGitAsksFor(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"ssh://git@git.example.com/team/app.git":    "git-upload-pack '/team/app.git'",
		"ssh://git@git.example.com/~team/app.git":   "git-upload-pack '~team/app.git'",
		"git@git.example.com:team/app.git":          "git-upload-pack 'team/app.git'",
		"git@git.example.com:/srv/app.git":          "git-upload-pack '/srv/app.git'",
		"git@git.example.com:x';touch /tmp/x;'.git": `git-upload-pack 'x'\'';touch /tmp/x;'\''.git'`,
	} {
		u, err := deployment.ParseRepoURL(raw)
		require.NoError(t, err)
		require.Equal(t, want, remoteCommand("git-upload-pack", u))
	}
}

func TestSubmoduleURLs(t *testing.T) {
	t.Parallel()
	client, err := New(Options{})
	require.NoError(t, err)
	for _, test := range []struct{ parent, raw, want, host string }{
		{"https://git.example.com/team/app.git", "../lib.git", "/team/lib.git", "git.example.com"},
		{"https://git.example.com/team/app.git", "../../other/lib.git", "/other/lib.git", "git.example.com"},
		{"https://git.example.com/team/app", "./lib.git", "/team/app/lib.git", "git.example.com"},
		{"https://git.example.com/team/app", "../../../../lib.git", "/lib.git", "git.example.com"},
		{"git@git.example.com:team/app.git", "../lib.git", "team/lib.git", "git.example.com"},
		{"git@git.example.com:team/app.git", "../../../lib.git", "", ""},
		{"git@git.example.com:team/app.git", "../../-lib.git", "", ""},
		{"https://git.example.com/app.git", "https://me@bitbucket.example.com/lib.git", "/lib.git", "bitbucket.example.com"},
		{"https://git.example.com/app.git", "https://me:secret@bitbucket.example.com/lib.git", "", ""},
		{"https://git.example.com/app.git", "git@git.example.com:lib.git", "lib.git", "git.example.com"},
		{"https://git.example.com/app.git", "file:///etc", "", ""},
		{"https://git.example.com/app.git", "/srv/lib.git", "", ""},
		{"https://git.example.com/app.git", "-u./x", "", ""},
		{"https://git.example.com/app.git", "", "", ""},
	} {
		trip, err := client.newTrip(deployment.Repository{URL: test.parent}, nil)
		require.NoError(t, err)
		u, err := trip.submoduleURL(trip.url, test.raw)
		if test.want == "" {
			require.Equal(t, "source.url_invalid", deployment.AsFailure(err).Code, test.raw)
			require.NotContains(t, err.Error(), "secret")
			continue
		}
		require.NoError(t, err, test.raw)
		require.Equal(t, test.host+" "+test.want, u.Host+" "+u.Path)
	}
}
