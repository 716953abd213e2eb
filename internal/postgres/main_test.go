package postgres_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// bench is a store on a fresh database, with the few things that most tests begin with.
type bench struct {
	*postgres.Store
	t *testing.T
}

func newBench(t *testing.T) bench {
	t.Helper()
	pool := postgrestest.New(t)
	return bench{Store: postgres.New(pool, postgres.Options{PreviewDomain: "localhost", Cipher: mirror{}}), t: t}
}

// mirror is a cipher that a test can see through; like a real one it refuses another place than the value was made for.
type mirror struct{}

func (mirror) Encrypt(plain, aad []byte) ([]byte, error) {
	return append([]byte(string(aad)+"|"), flip(plain)...), nil
}

func (mirror) Decrypt(sealed, aad []byte) ([]byte, error) {
	if n := len(aad) + 1; len(sealed) >= n && string(sealed[:n]) == string(aad)+"|" {
		return flip(sealed[n:]), nil
	}
	return nil, errors.New("sealed for another place")
}

func flip(data []byte) []byte {
	out := make([]byte, len(data))
	for i, b := range data {
		out[i] = ^b
	}
	return out
}

func (b bench) project(name string) deployment.Project {
	b.t.Helper()
	p, err := b.CreateProject(b.t.Context(), deployment.Project{Name: name, RepoURL: "https://git.example.com/" + name}.WithDefaults())
	require.NoError(b.t, err)
	return p
}

func (b bench) deploy(p deployment.Project, environment string) deployment.Deployment {
	b.t.Helper()
	d, created, err := b.CreateDeployment(b.t.Context(), deployment.NewDeployment{Project: p, Environment: environment})
	require.NoError(b.t, err)
	require.True(b.t, created)
	return d
}

// abreast are deployments of an environment that are under way at the same time, against all order, oldest first: what the
// route's fence is there for.
func (b bench) abreast(p deployment.Project, environment string, n int) (all []deployment.Deployment) {
	b.t.Helper()
	for range n {
		all = append(all, b.deploy(p, environment))
		b.exec("UPDATE environments SET order_policy = 'queue' WHERE id = $1", all[0].EnvironmentID)
	}
	b.exec("UPDATE environments SET order_policy = DEFAULT WHERE id = $1", all[0].EnvironmentID)
	return all
}

// begin begins a run, as one that Temporal says is the current one.
func (b bench) begin(d deployment.Deployment, run string) error {
	b.t.Helper()
	stands, err := b.Deployment(b.t.Context(), d.ID)
	require.NoError(b.t, err)
	return b.BeginRun(b.t.Context(), d.ID, stands.RunID, run)
}

// running is a deployment of a new project whose run has begun.
func (b bench) running(run string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(b.project("app"), "production")
	require.NoError(b.t, b.begin(d, run))
	return d
}

// through takes a deployment through the steps up to and including last.
func (b bench) through(d deployment.Deployment, run string, last deployment.StepName) {
	b.t.Helper()
	require.NoError(b.t, b.begin(d, run))
	for _, step := range deployment.Steps() {
		require.NoError(b.t, b.StepStarted(b.t.Context(), attempt(d, run, step), time.Now()))
		if step == last {
			return
		}
	}
}

// live takes a deployment all the way.
func (b bench) live(d deployment.Deployment, run string) {
	b.t.Helper()
	b.through(d, run, deployment.StepRelease)
	_, err := b.SwitchRoute(b.t.Context(), run, preview(d))
	require.NoError(b.t, err)
}

// of is the scope of a whole project.
func of(p deployment.Project) deployment.Scope { return deployment.Scope{ProjectID: p.ID} }

// remove deletes a project or an environment.
func (b bench) remove(scope deployment.Scope) deployment.Deletion {
	b.t.Helper()
	d, err := b.Delete(b.t.Context(), scope)
	require.NoError(b.t, err)
	return d
}

// status reads how a deployment stands.
func (b bench) status(id string) deployment.Status {
	b.t.Helper()
	d, err := b.Deployment(b.t.Context(), id)
	require.NoError(b.t, err)
	return d.Status
}

func (b bench) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.Pool().Exec(context.Background(), sql, args...)
	require.NoError(b.t, err)
}

func attempt(d deployment.Deployment, run string, step deployment.StepName) deployment.StepAttempt {
	return deployment.StepAttempt{DeploymentID: d.ID, RunID: run, Step: step, Attempt: 1, Host: "host-1"}
}

func preview(d deployment.Deployment) deployment.Preview {
	return deployment.Preview{
		DeploymentID: d.ID, Host: "host-1", ContainerID: "c-" + d.ID, Container: "slipway-" + d.ID, Network: "net-" + d.ID,
		Address: "172.18.0.2:3000", State: deployment.PreviewStarting,
	}
}
