package source_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, server)
	client := newClient(t, server.URL)
	for name, test := range map[string]struct {
		ref            deployment.Ref
		commit, branch string
	}{
		"default":       {ref: deployment.Ref{}, commit: h.third, branch: "main"},
		"branch":        {ref: deployment.Ref{Kind: deployment.RefBranch, Name: "feature/x"}, commit: h.other, branch: "feature/x"},
		"annotated tag": {ref: deployment.Ref{Kind: deployment.RefTag, Name: "v2"}, commit: h.second},
		"light tag":     {ref: deployment.Ref{Kind: deployment.RefTag, Name: "light"}, commit: h.other},
		"full commit":   {ref: deployment.Ref{Kind: deployment.RefCommit, Name: h.first}, commit: h.first},
		"prefix":        {ref: deployment.Ref{Kind: deployment.RefCommit, Name: h.third[:7]}, commit: h.third},
		"prefix of tag": {ref: deployment.Ref{Kind: deployment.RefCommit, Name: h.second[:10]}, commit: h.second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commit, branch, err := client.Resolve(t.Context(), at(h.repo.URL), test.ref)
			require.NoError(t, err)
			require.Equal(t, test.commit, commit)
			require.Equal(t, test.branch, branch)
		})
	}
}

func TestResolveSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, server)
	empty := server.Repo(t, "empty")
	detached := server.Repo(t, "detached")
	gitservetest.Commit(t, detached, "trunk", map[string]string{"a": "a"})
	client := newClient(t, server.URL)
	for name, test := range map[string]struct {
		url  string
		ref  deployment.Ref
		code string
	}{
		"branch":           {h.repo.URL, deployment.Ref{Kind: deployment.RefBranch, Name: "nope"}, "source.ref_not_found"},
		"tag":              {h.repo.URL, deployment.Ref{Kind: deployment.RefTag, Name: "main"}, "source.ref_not_found"},
		"ref not allowed":  {h.repo.URL, deployment.Ref{Kind: deployment.RefBranch, Name: "../x"}, "source.ref_invalid"},
		"prefix":           {h.repo.URL, deployment.Ref{Kind: deployment.RefCommit, Name: h.first[:12]}, "source.commit_not_found"},
		"repository":       {server.URL + "/other.git", deployment.Ref{}, "source.repository_not_found"},
		"empty repository": {empty.URL, deployment.Ref{}, "source.repository_empty"},
		"unborn HEAD":      {detached.URL, deployment.Ref{}, "source.ref_not_found"},
		"url":              {"file:///etc", deployment.Ref{}, "source.url_invalid"},
		"credentials":      {strings.Replace(h.repo.URL, "http://", "http://me:secret@", 1), deployment.Ref{}, "source.url_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := client.Resolve(t.Context(), at(test.url), test.ref)
			failure := requireFailure(t, err, deployment.ClassUser, test.code)
			require.True(t, strings.HasPrefix(failure.Message, "resolve "), failure.Message)
			require.NotContains(t, failure.Message, "secret")
		})
	}
}

func TestDefaultBranch(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, server)
	client := newClient(t, server.URL)
	branch, err := client.DefaultBranch(t.Context(), at(h.repo.URL))
	require.NoError(t, err)
	require.Equal(t, "main", branch)
	_, err = client.DefaultBranch(t.Context(), at(server.URL+"/other.git"))
	requireFailure(t, err, deployment.ClassUser, "source.repository_not_found")
}

func TestDefaultBranchWaitsFiveSecondsAtMost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(server.Close)
	started := time.Now()
	_, err := newClient(t, server.URL).DefaultBranch(t.Context(), at(server.URL+"/app.git"))
	requireFailure(t, err, deployment.ClassTransient, "source.timeout")
	require.Less(t, time.Since(started), 20*time.Second)
}

func TestResolveAmbiguousPrefix(t *testing.T) {
	t.Parallel()
	// Nobody finds two real commits with 7 digits in common in a test's time, so the refs are written by hand.
	lines := []string{
		"1234567aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa refs/heads/a\x00agent=test\n",
		"1234567bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb refs/heads/b\n",
	}
	var answer strings.Builder
	answer.WriteString("001e# service=git-upload-pack\n0000")
	for _, line := range lines {
		fmt.Fprintf(&answer, "%04x%s", len(line)+4, line)
	}
	answer.WriteString("0000")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(answer.String()))
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.URL)
	_, _, err := client.Resolve(t.Context(), at(server.URL+"/app.git"), deployment.Ref{Kind: deployment.RefCommit, Name: "1234567"})
	failure := requireFailure(t, err, deployment.ClassUser, "source.commit_ambiguous")
	require.Contains(t, failure.Fix, "all 40")
	commit, _, err := client.Resolve(t.Context(), at(server.URL+"/app.git"), deployment.Ref{Kind: deployment.RefCommit, Name: "1234567b"})
	require.NoError(t, err)
	require.Equal(t, lines[1][:40], commit)
}

func TestResolveTellsServersAnswersApart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		class  deployment.Class
		code   string
	}{
		"unauthorized": {http.StatusUnauthorized, "", deployment.ClassUser, "source.auth_required"},
		"forbidden":    {http.StatusForbidden, "", deployment.ClassUser, "source.auth_required"},
		"gone":         {http.StatusGone, "", deployment.ClassUser, "source.repository_not_found"},
		"broken":       {http.StatusBadGateway, "<html>", deployment.ClassTransient, "source.unreachable"},
		"busy":         {http.StatusTooManyRequests, "", deployment.ClassTransient, "source.unreachable"},
		"a web page":   {http.StatusOK, "<!DOCTYPE html>", deployment.ClassUser, "source.not_git"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			t.Cleanup(server.Close)
			_, _, err := newClient(t, server.URL).Resolve(t.Context(), at(server.URL+"/app.git"), deployment.Ref{})
			requireFailure(t, err, test.class, test.code)
		})
	}
}

func TestResolveFromAPrivateRepositoryAsksForCredentials(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{Auth: func(_, _ string) bool { return false }})
	h := newHistory(t, server)
	_, _, err := newClient(t, server.URL).Resolve(t.Context(), at(h.repo.URL), deployment.Ref{})
	requireFailure(t, err, deployment.ClassUser, "source.auth_required")
}

func TestResolveWhenNobodyAnswersIsTransient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, _, err := newClient(t, server.URL).Resolve(t.Context(), at(server.URL+"/app.git"), deployment.Ref{})
	requireFailure(t, err, deployment.ClassTransient, "source.unreachable")
}

func TestResolveRefusesAnEndlessAdvertisement(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const commit = "1111111111111111111111111111111111111111"
		_, _ = w.Write([]byte("001e# service=git-upload-pack\n0000003d" + commit + " refs/heads/x\x00a\n\n"))
		for i := 0; r.Context().Err() == nil; i++ {
			if _, err := fmt.Fprintf(w, "0045%s refs/heads/%012d\n", commit, i); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	_, _, err := limited(t, server.URL, 1<<20).Resolve(t.Context(), at(server.URL+"/app.git"), deployment.Ref{})
	requireFailure(t, err, deployment.ClassUser, "source.too_large")
}
