package buildkit_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const from = "FROM debian:bookworm-slim\n"

func TestSolvePushesWhatItBuilds(t *testing.T) {
	t.Parallel()
	r := request(t, "# syntax=example.com/some/frontend:1\n"+from+
		"COPY greeting /greeting\nRUN printf '10%%\\r50%%\\r100%%\\n'; echo said on stderr >&2; printf unfinished # "+uuid.NewString()+"\n", map[string]string{"greeting": uuid.NewString()})
	r.Labels = map[string]string{"slipway.deployment": r.Ref}
	s := &transcript{}
	out, err := stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err)

	digest, err := stack.Client().Digest(t.Context(), r.Image)
	require.NoError(t, err)
	require.Equal(t, digest, out.Digest)
	require.Equal(t, 2, out.Steps)

	img := pull(t, r.Image)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, r.Ref, config.Config.Labels["slipway.deployment"])
	require.Contains(t, files(t, r.Image), "greeting")

	text := s.text()
	for _, line := range []string{
		"slipway: #n [internal] load build definition from Dockerfile\n", "] RUN printf", " DONE ",
		"stdout: #n 100%\n", "stderr: #n said on stderr\n", "stdout: #n unfinished\n", "slipway: #n pushing layers ",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "50%\n", "a progress bar gives its last state only")
	run := slices.IndexFunc(s.vertices, func(v deployment.BuildVertex) bool { return strings.Contains(v.Name, "] RUN printf") })
	require.GreaterOrEqual(t, run, 0)
	require.False(t, s.vertices[run].Cached || s.vertices[run].Failed)
	require.True(t, s.vertices[run].Started.Before(s.vertices[run].Completed))
	last := s.progress[len(s.progress)-1]
	require.Equal(t, deployment.PhasePush, last.Phase)
	require.Equal(t, 100, last.Percent)
	require.Equal(t, last.Total, last.Done)
	for i := 1; i < len(s.progress); i++ {
		require.GreaterOrEqual(t, s.progress[i].Percent, s.progress[i-1].Percent)
	}
}

func TestSolveAgainTakesStepsFromCache(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	dockerfile := from + "RUN echo " + uuid.NewString() + "\n"
	_, err := b.Solve(t.Context(), request(t, dockerfile, nil), &transcript{})
	require.NoError(t, err)
	s := &transcript{}
	out, err := b.Solve(t.Context(), request(t, dockerfile, nil), s)
	require.NoError(t, err)
	require.Equal(t, 1, out.Cached)
	require.Contains(t, s.text(), " CACHED\n")
}

func TestSecretsReachTheStepAndNothingElse(t *testing.T) {
	t.Parallel()
	value := uuid.NewString()
	r := request(t, from+"RUN --mount=type=secret,id=TOKEN,env=TOKEN echo \"length ${#TOKEN}\"\n", nil)
	r.Secrets = map[string]string{"TOKEN": value}
	s := &transcript{}
	_, err := stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err)
	require.Contains(t, s.text(), "length 36\n")
	require.NotContains(t, s.text(), value)

	img := pull(t, r.Image)
	config, err := img.RawConfigFile()
	require.NoError(t, err)
	require.NotContains(t, string(config), value)
	layers, err := img.Layers()
	require.NoError(t, err)
	require.NotContains(t, contentOf(t, layers[len(layers)-1]), value)
}

func TestChangedSecretRunsTheStepAgain(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	dockerfile := from + "RUN --mount=type=secret,id=TOKEN,env=TOKEN echo \"$TOKEN\" | sha256sum > /sum # " + uuid.NewString() + "\n"
	build := func(scope, value string) int {
		r := request(t, dockerfile, nil)
		r.CacheScope, r.Secrets = scope, map[string]string{"TOKEN": value}
		out, err := b.Solve(t.Context(), r, &transcript{})
		require.NoError(t, err)
		return out.Cached
	}
	require.Equal(t, 0, build("project", "one"))
	require.Equal(t, 1, build("project", "one"))
	require.Equal(t, 0, build("project", "two"))
	require.Equal(t, 0, build("another project", "one"), "a project is not given what another built with its secrets")
}

func TestChangedVariableLeavesTheStepInCache(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	dockerfile := from + "RUN --mount=type=secret,id=COMMIT,env=COMMIT echo \"commit is $COMMIT\" # " + uuid.NewString() + "\n"
	build := func(commit string) (int, string) {
		r, s := request(t, dockerfile, nil), &transcript{}
		r.Variables = map[string]string{"COMMIT": commit}
		out, err := b.Solve(t.Context(), r, s)
		require.NoError(t, err)
		return out.Cached, s.text()
	}
	cached, said := build("one")
	require.Equal(t, 0, cached)
	require.Contains(t, said, "commit is one\n")
	cached, _ = build("two")
	require.Equal(t, 1, cached, "what changes with every deploy must not run every step again")
}

func TestNoCacheRunsEveryStepAgain(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	dockerfile := from + "RUN echo " + uuid.NewString() + "\n"
	build := func(noCache bool) int {
		r := request(t, dockerfile, nil)
		r.NoCache = noCache
		out, err := b.Solve(t.Context(), r, &transcript{})
		require.NoError(t, err)
		return out.Cached
	}
	require.Equal(t, 0, build(false))
	require.Equal(t, 1, build(false))
	require.Equal(t, 0, build(true))
}

func TestCacheMountsOfProjectsAreApart(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	write := request(t, from+"RUN --mount=type=cache,id=shared,target=/cache echo mine > /cache/file # "+uuid.NewString()+"\n", nil)
	_, err := b.Solve(t.Context(), write, &transcript{})
	require.NoError(t, err)
	read := from + "RUN --mount=type=cache,id=shared,target=/cache ls /cache # "
	for scope, want := range map[string]bool{write.CacheScope: true, "another": false} {
		r := request(t, read+uuid.NewString()+"\n", nil)
		r.CacheScope = scope
		s := &transcript{}
		_, err := b.Solve(t.Context(), r, s)
		require.NoError(t, err)
		require.Equal(t, want, s.saw("stdout: #n file\n")(), s.text())
	}
}

func TestIgnoredFilesStayOutOfTheImage(t *testing.T) {
	t.Parallel()
	r := request(t, from+"COPY . /app/\n", map[string]string{
		".git/config": "x", ".env": "SECRET=1", "kept.txt": "x", "sub/.env": "x", "theirs.txt": "x",
		".dockerignore": "theirs.txt\n!.env\n!.git\n",
	})
	r.Ignore = []string{".git", "**/.env"}
	_, err := stack.Builder(t).Solve(t.Context(), r, &transcript{})
	require.NoError(t, err)
	got := files(t, r.Image)
	require.Contains(t, got, "app/kept.txt")
	for _, hidden := range []string{"app/.env", "app/sub/.env", "app/.git/config", "app/.git", "app/theirs.txt"} {
		require.NotContains(t, got, hidden)
	}
}

func TestCancelStopsTheBuild(t *testing.T) {
	t.Parallel()
	mark := uuid.NewString()
	r := request(t, from+"RUN echo started; sleep 300; : "+mark+"\n", nil)
	s := &transcript{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := stack.Builder(t).Solve(ctx, r, s)
		ended <- err
	}()
	require.Eventually(t, s.saw("stdout: #n started\n"), time.Minute, 10*time.Millisecond)
	require.NotEmpty(t, processes(t, mark))

	begin := time.Now()
	cancel()
	err := <-ended
	require.ErrorIs(t, err, context.Canceled)
	var f *deployment.Failure
	require.NotErrorAs(t, err, &f)
	require.Less(t, time.Since(begin), time.Minute)
	require.Empty(t, processes(t, mark), "Solve returns when the build has ended")
	require.Contains(t, s.text(), "#n CANCELED\n")

	digest, err := stack.Builder(t).Lookup(t.Context(), r.Ref)
	require.NoError(t, err)
	require.Empty(t, digest)
}

// The daemon may not know a job yet, or no more, when it is asked for its status: then the client waits 5 s for messages.
func TestCancelAtAnyMomentReturnsWhenTheBuildHasEnded(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	told := map[*transcript]string{}
	for after := range 20 {
		mark := uuid.NewString()
		s := &transcript{}
		r := request(t, from+"RUN sleep 300; : "+mark+"\n", nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(after)*6*time.Millisecond)
		known := make(chan time.Time, 1) // when the daemon said that the build had ended, which takes as long as it is busy
		context.AfterFunc(ctx, func() {
			_, _ = b.Lookup(t.Context(), r.Ref)
			known <- time.Now()
		})
		_, err := b.Solve(ctx, r, s)
		returned := time.Now()
		told[s] = s.text()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, returned.Sub(<-known), 4*time.Second, "canceled after %d ms", after*6)
		// The daemon ends a build at once and kills a step that was just about to begin as soon as it has.
		require.Eventually(t, func() bool { return len(processes(t, mark)) == 0 }, time.Minute, 10*time.Millisecond)
		cancel()
	}
	for s, text := range told {
		require.Equal(t, text, s.text(), "nothing is told after Solve returned")
	}
}
