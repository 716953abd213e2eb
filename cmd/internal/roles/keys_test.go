package roles_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/temporal/codec"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// withSecrets is a machine whose Postgres holds three env vars, one of them an environment's, and a git credential.
func withSecrets(t *testing.T) (config.Dev, *postgres.Store, deployment.Project) {
	t.Helper()
	m := machine(t)
	store, err := roles.JoinMachine(t.Context(), m)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	p, err := store.CreateProject(t.Context(), deployment.Project{Name: "app", RepoURL: "https://git.example.com/app"}.WithDefaults())
	require.NoError(t, err)
	d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.NoError(t, err)
	for _, scope := range []deployment.Scope{{ProjectID: p.ID}, d.Scope()} {
		require.NoError(t, store.MergeEnvVars(t.Context(), scope, []deployment.EnvVar{{Name: "A", Value: "of " + scope.ID(), Target: deployment.TargetBoth}}))
	}
	require.NoError(t, store.MergeEnvVars(t.Context(), deployment.Scope{ProjectID: p.ID}, []deployment.EnvVar{{Name: "B", Value: "", Target: deployment.TargetBuild}}))
	require.NoError(t, store.SetGitCredential(t.Context(), p.ID, deployment.GitCredential{Secret: "s3cret", CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialToken, Origin: "https://git.example.com", Username: "git",
	}}))
	return m, store, p
}

// requireReadable reads every secret of withSecrets.
func requireReadable(t *testing.T, store *postgres.Store, p deployment.Project) {
	t.Helper()
	vars, err := store.EnvVars(t.Context(), deployment.Scope{ProjectID: p.ID})
	require.NoError(t, err)
	require.Equal(t, "of "+p.ID, vars[0].Value)
	credential, err := store.GitCredential(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, "s3cret", credential.Secret)
}

func secretsByState(t *testing.T, m config.Dev, store *postgres.Store) map[secrets.KeyState]int {
	t.Helper()
	uses, err := roles.Keys(t.Context(), m, store)
	require.NoError(t, err)
	counts := map[secrets.KeyState]int{}
	for _, use := range uses {
		counts[use.State] += use.Secrets
	}
	return counts
}

func TestRotateKeys(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	running, err := roles.JoinMachine(t.Context(), m) // an API or a worker
	require.NoError(t, err)
	defer running.Close()

	done, err := roles.RotateKeys(t.Context(), m, store)
	require.NoError(t, err)
	require.Equal(t, 4, done.Resealed)
	require.False(t, done.Finished)
	require.Equal(t, map[secrets.KeyState]int{secrets.Old: 0, secrets.Primary: 4}, secretsByState(t, m, store))
	requireReadable(t, running, p)
	require.NoError(t, running.MergeEnvVars(t.Context(), deployment.Scope{ProjectID: p.ID}, []deployment.EnvVar{{Name: "C", Value: "new", Target: deployment.TargetBoth}}))
	require.Equal(t, map[secrets.KeyState]int{secrets.Old: 0, secrets.Primary: 5}, secretsByState(t, m, store), "it seals with the new key")
}

// A rotation that was killed when the file had the new key, or between two secrets: all can be read, and the next call
// finishes it without another key.
func TestRotateKeys_FinishesWhatWasStopped(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	keyset, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: m.Postgres.Keyset})
	require.NoError(t, err)
	key, err := keyset.Rotate(t.Context())
	require.NoError(t, err)
	dying := postgres.New(store.Pool(), postgres.Options{PreviewDomain: "localhost", Cipher: &mortal{Keyset: keyset, left: 2}})
	_, err = dying.Reseal(t.Context(), key.Prefix())
	require.ErrorIs(t, err, errKilled)
	require.Equal(t, map[secrets.KeyState]int{secrets.Old: 2, secrets.Primary: 2}, secretsByState(t, m, store))
	requireReadable(t, store, p)

	done, err := roles.RotateKeys(t.Context(), m, store)
	require.NoError(t, err)
	require.Equal(t, roles.Rotated{Key: key, Finished: true, Resealed: 2}, done)
	requireReadable(t, store, p)
	require.Equal(t, map[secrets.KeyState]int{secrets.Old: 0, secrets.Primary: 4}, secretsByState(t, m, store))
}

var errKilled = errors.New("killed")

// mortal is a cipher that seals a few times and then no more.
type mortal struct {
	*secrets.Keyset
	left int
}

func (m *mortal) Encrypt(plain, aad []byte) ([]byte, error) {
	if m.left--; m.left < 0 {
		return nil, errKilled
	}
	return m.Keyset.Encrypt(plain, aad)
}

func TestKeys_ReportsSecretsThatNoKeyOpens(t *testing.T) {
	t.Parallel()
	m, store, _ := withSecrets(t)
	m.Postgres.Keyset += ".other"
	for _, ask := range []func() error{
		func() error { _, err := roles.Keys(t.Context(), m, store); return err },
		func() error { _, err := roles.RotateKeys(t.Context(), m, store); return err },
	} {
		err := ask()
		require.ErrorContains(t, err, "4 secrets were sealed by a key")
		require.Contains(t, roles.FixOf(err), "from a backup")
	}
}

// An old key goes once neither Postgres nor Temporal holds anything that it has sealed.
func TestPruneKeys(t *testing.T) {
	t.Parallel()
	m, store, p := withSecrets(t)
	quiet := slog.New(slog.DiscardHandler)
	m.Temporal = config.Temporal{Addr: devservertest.Start(t), Namespace: "prune-" + uuid.NewString(), Retention: 48 * time.Hour}
	_, err := roles.Migrate(t.Context(), config.MigrateRole{DataDir: m.DataDir, Postgres: m.Postgres, Temporal: m.Temporal}, quiet)
	require.NoError(t, err)
	keyset, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: m.Postgres.Keyset})
	require.NoError(t, err)
	options := sdkclient.Options{HostPort: m.Temporal.Addr, Namespace: m.Temporal.Namespace}
	codec.Codec{Cipher: keyset}.Use(&options, true)
	client, err := sdkclient.Dial(options)
	require.NoError(t, err)
	defer client.Close()
	run, err := client.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{ID: "deploy/1", TaskQueue: "nobody"}, "Deploy", "input")
	require.NoError(t, err)

	first, err := keyset.Rotate(t.Context()) // not finished: the first key still has secrets
	require.NoError(t, err)
	done, err := roles.PruneKeys(t.Context(), m, store, quiet)
	require.NoError(t, err)
	require.Len(t, done.Secrets, 1)
	require.Empty(t, done.Removed)
	_, err = roles.RotateKeys(t.Context(), m, store)
	require.NoError(t, err)

	last, err := roles.RotateKeys(t.Context(), m, store)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // until visibility shows the workflow
		found, err := client.CountWorkflow(t.Context(), countAll(m.Temporal.Namespace))
		return err == nil && found.GetCount() == 1
	}, time.Minute, 10*time.Millisecond)
	done, err = roles.PruneKeys(t.Context(), m, store, quiet)
	require.NoError(t, err)
	require.Equal(t, []secrets.Key{{ID: first.ID, State: secrets.Old}}, done.Removed, "it has sealed nothing that is left")
	require.Len(t, done.Payloads, 1, "the workflow's input needs the first key")
	uses, err := roles.Keys(t.Context(), m, store)
	require.NoError(t, err)
	require.Len(t, uses, 2)
	require.Equal(t, last.Key, uses[1].Key)

	_, err = client.WorkflowService().DeleteWorkflowExecution(t.Context(), deletion(m.Temporal.Namespace, run))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		done, err = roles.PruneKeys(t.Context(), m, store, quiet)
		return err == nil && len(done.Removed) == 1
	}, time.Minute, 50*time.Millisecond, "past its retention Temporal needs the key no more")
	requireReadable(t, store, p)
}

func countAll(namespace string) *workflowservice.CountWorkflowExecutionsRequest {
	return &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace}
}

func deletion(namespace string, run sdkclient.WorkflowRun) *workflowservice.DeleteWorkflowExecutionRequest {
	return &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	}
}

func TestRotateKeys_CertificatesToo(t *testing.T) {
	t.Parallel()
	m, store, _ := withSecrets(t)
	require.NoError(t, store.SaveAsset(t.Context(), "certificates/ca/a/a.key", []byte("key of a")))
	done, err := roles.RotateKeys(t.Context(), m, store)
	require.NoError(t, err)
	require.Equal(t, 5, done.Resealed)
	require.Equal(t, map[secrets.KeyState]int{secrets.Old: 0, secrets.Primary: 5}, secretsByState(t, m, store))
	value, err := store.Asset(t.Context(), "certificates/ca/a/a.key")
	require.NoError(t, err)
	require.Equal(t, "key of a", string(value))
}
