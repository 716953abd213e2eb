package activities_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/temporal"
)

const goodToken = "tok-0123456789"

// makePrivate moves the bench's project to a repository that only goodToken opens, and gives it a credential.
func (b *bench) makePrivate(token string) deployment.GitCredential {
	b.t.Helper()
	server := gitservetest.New(b.t, gitserve.Options{AllowAnySHA: true, Auth: func(_, given string) bool { return given == goodToken }})
	repo := server.Repo(b.t, "private")
	b.commit = gitservetest.Commit(b.t, repo, "main", map[string]string{"index.html": "hello"})
	client, err := source.New(source.Options{TrustedOrigins: []string{server.URL}})
	require.NoError(b.t, err)
	b.git.Git = client
	b.project.RepoURL = repo.URL
	b.project, err = b.store.UpdateProject(b.t.Context(), b.project)
	require.NoError(b.t, err)
	credential, faults := client.CheckCredential(repo.URL, deployment.GitCredential{
		Secret: token, CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialToken},
	})
	for _, fault := range faults {
		require.Nil(b.t, fault)
	}
	require.NoError(b.t, b.store.SetGitCredential(b.t.Context(), b.project.ID, credential))
	return credential
}

func TestSource_APrivateRepositoryIsFetchedWithItsCredential(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	credential := b.makePrivate(goodToken)
	d := b.deploy()
	// Whatever prints it, the log does not have it: the recorder has named the secret before the step began.
	b.git.on("after fetch", func(context.Context) error {
		b.writer.Append(d.ID, deployment.LogLine{Step: deployment.StepFetch, Attempt: 1, Stream: deployment.StreamStdout, Text: "Authorization: Basic " + credential.BasicAuth() + " is " + goodToken})
		return nil
	})
	require.NoError(t, b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepPlan) }))
	require.Equal(t, b.commit, b.get(d).Commit)
	log := strings.Join(b.log(d), "\n")
	require.Contains(t, log, "Authorization: Basic *** is ***")
	b.mustNotShow(d, credential)
}

func TestSource_AWrongTokenEndsTheDeployAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	credential := b.makePrivate("hunter2hunter2")
	d := b.deploy()
	err := b.run(d, func(ctx workflow.Context) error {
		_, err := call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, temporal.StepInput{DeploymentID: d.ID})
		return err
	})
	require.Error(t, err)
	steps := b.steps(d, deployment.StepResolve)
	require.Len(t, steps, 1, "no retry mends a token")
	failure := steps[0].Failure
	require.Equal(t, deployment.ClassUser, failure.Class)
	require.Equal(t, "source.credential_refused", failure.Code)
	require.Contains(t, failure.Fix, "slipway credentials set")
	require.NotContains(t, err.Error(), credential.Secret)
	b.mustNotShow(d, credential)
}

func TestRecorder_AFailureDoesNotShowTheCredential(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	credential := b.makePrivate(goodToken)
	d := b.deploy()
	b.git.on("after fetch", func(context.Context) error {
		f := deployment.UserFailure("source.odd", "fix it", "said %s and %s", credential.Secret, credential.BasicAuth())
		f.Lines = []string{credential.Secret}
		return f
	})
	require.Error(t, b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepPlan) }))
	require.Equal(t, "said *** and ***", b.steps(d, deployment.StepFetch)[0].Failure.Message)
	b.mustNotShow(d, credential)
}

// mustNotShow checks that log, steps, row and history of a deployment hold no secret of a credential.
func (b *bench) mustNotShow(d deployment.Deployment, credential deployment.GitCredential) {
	b.t.Helper()
	rows, err := b.store.Steps(b.t.Context(), d.ID)
	require.NoError(b.t, err)
	shown, err := json.Marshal([]any{rows, b.get(d)})
	require.NoError(b.t, err)
	for _, secret := range credential.Secrets() {
		require.NotContains(b.t, strings.Join(b.log(d), "\n"), secret, "log")
		require.NotContains(b.t, string(shown), secret, "rows")
		require.NotContains(b.t, b.historyOf(d), secret, "history")
	}
}
