package activities_test

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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

// A build gets the key of its project's repository when the project says so, and no other secret.
func TestBuildImage_MayUseTheProjectsSSHKey(t *testing.T) {
	t.Parallel()
	key := sshCredential(t, "ssh://git@git.example.com/team/app.git")
	elsewhere := sshCredential(t, "ssh://git@old.example.com/team/app.git")
	token := deployment.GitCredential{Secret: goodToken, CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialToken, Origin: "https://git.example.com"}}
	for name, c := range map[string]struct {
		wants      bool
		repo       string
		credential *deployment.GitCredential
		key        string
		failed     bool
	}{
		"not wanted":           {credential: &key},
		"wanted":               {wants: true, credential: &key, key: key.Secret},
		"no credential":        {wants: true, failed: true},
		"a token":              {wants: true, repo: "https://git.example.com/team/app.git", credential: &token, failed: true},
		"of another place":     {wants: true, credential: &elsewhere, failed: true},
		"none, and not wanted": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.git.on("after fetch", func(ctx context.Context) error { // until then the repository is the bench's own
				p, err := b.store.Project(ctx, b.project.ID)
				if err != nil {
					return err
				}
				p.Build.SSH, p.RepoURL = c.wants, cmp.Or(c.repo, "ssh://git@git.example.com/team/app.git")
				if _, err := b.store.UpdateProject(ctx, p); err != nil || c.credential == nil {
					return err
				}
				return b.store.SetGitCredential(ctx, b.project.ID, *c.credential)
			})
			d := b.deploy()
			_, err := b.builds(d)
			if !c.failed {
				require.NoError(t, err)
				require.Equal(t, c.key, b.builder.solves()[0].SSHKey)
				b.mustNotShow(d, key)
				return
			}
			require.Error(t, err)
			f := b.steps(d, deployment.StepBuild)[0].Failure
			require.Equal(t, "build.ssh_key_missing", f.Code)
			require.Equal(t, deployment.ClassUser, f.Class)
			require.Empty(t, b.builder.solves())
		})
	}
}

// sshCredential is a key for a repository.
func sshCredential(t *testing.T, repoURL string) deployment.GitCredential {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).Run())
	secret, err := os.ReadFile(file)
	require.NoError(t, err)
	client, err := source.New(source.Options{})
	require.NoError(t, err)
	credential, faults := client.CheckCredential(repoURL, deployment.GitCredential{
		Secret: string(secret), CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialSSHKey},
	})
	for _, fault := range faults {
		require.Nil(t, fault)
	}
	return credential
}
