package postgres_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestCreateDeploymentCountsPerProjectAndEnvironment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, other := b.project("app"), b.project("other")

	first, second, third := b.deploy(p, "production"), b.deploy(p, "branch/main"), b.deploy(p, "production")
	require.Equal(t, []int{1, 2, 3}, []int{first.Number, second.Number, third.Number})
	require.Equal(t, []int64{1, 1, 2}, []int64{first.Generation, second.Generation, third.Generation})
	require.Equal(t, 1, b.deploy(other, "production").Number)

	require.Equal(t, deployment.StatusQueued, first.Status)
	require.Equal(t, "deploy/"+first.ID, first.WorkflowID)
	require.Equal(t, deployment.PreviewHost(first.ID, "localhost"), first.PreviewHost)
	require.Equal(t, "app.localhost", first.EnvHost)
	require.Equal(t, "app-main-preview.localhost", second.EnvHost)
	require.Equal(t, first.EnvironmentID, third.EnvironmentID)
	environment, err := b.Environment(t.Context(), p.ID, "production")
	require.NoError(t, err)
	require.Equal(t, deployment.KindProduction, environment.Kind)
	require.EqualValues(t, 2, environment.Generation)
}

func TestCreateDeploymentGivesEveryEnvironmentAHostOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hosts := map[string]bool{}
	for project, branches := range map[string][]string{"a": {"b/c", "b-c", "b_c"}, "a-b": {"c"}} {
		p := b.project(project)
		for _, branch := range branches {
			hosts[b.deploy(p, "branch/"+branch).EnvHost] = true
		}
	}
	require.Len(t, hosts, 4)
	require.Contains(t, hosts, "a-b-c-preview.localhost")
	for host := range hosts {
		label, _, _ := strings.Cut(host, ".")
		require.LessOrEqual(t, len(label), 63)
		require.True(t, strings.HasSuffix(label, "-preview"), label)
	}
}

func TestThreeEnvironmentsThatAgreeEvenInTheHash(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hosts := map[string]bool{}
	for project, branch := range map[string]string{"p": "a-b-c", "p-a": "b-c", "p-a-b": "c"} {
		hosts[b.deploy(b.project(project), "branch/"+branch).EnvHost] = true
	}
	require.Len(t, hosts, 3)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := deployment.NewDeployment{
		Project: b.project("app"), Environment: "production", IdempotencyKey: "key-1", RequestDigest: []byte("one"),
	}
	first, created, err := b.CreateDeployment(t.Context(), request)
	require.NoError(t, err)
	require.True(t, created)

	again, created, err := b.CreateDeployment(t.Context(), request)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.ID, again.ID)

	request.RequestDigest = []byte("another")
	_, _, err = b.CreateDeployment(t.Context(), request)
	require.ErrorIs(t, err, deployment.ErrIdempotencyMismatch)

	elsewhere := request
	elsewhere.Project = b.project("other")
	_, created, err = b.CreateDeployment(t.Context(), elsewhere)
	require.NoError(t, err)
	require.True(t, created, "keys are kept per project")
}

func TestConcurrentRequestsWithOneKeyMakeOneDeployment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := deployment.NewDeployment{Project: b.project("app"), Environment: "production", IdempotencyKey: "key", RequestDigest: []byte("x")}
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		created int
		ids     = map[string]bool{}
	)
	for range 16 {
		wait.Go(func() {
			d, isNew, err := b.CreateDeployment(t.Context(), request)
			mu.Lock()
			defer mu.Unlock()
			if isNew {
				created++
			}
			ids[d.ID] = err == nil
		})
	}
	wait.Wait()
	require.Equal(t, 1, created)
	require.Len(t, ids, 1)
	items, _, err := b.Deployments(t.Context(), deployment.DeploymentFilter{}, deployment.Page{})
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.Equal(t, 1, items[0].Number)
}

func TestConcurrentCreationsHaveNumbersWithoutGaps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			environment := []string{"production", "branch/a", "branch/b"}[i%3]
			_, _, err := b.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: environment})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	items, _, err := b.Deployments(t.Context(), deployment.DeploymentFilter{ProjectID: p.ID}, deployment.Page{})
	require.NoError(t, err)
	numbers := map[int]bool{}
	for _, d := range items {
		numbers[d.Number] = true
	}
	for n := 1; n <= 20; n++ {
		require.True(t, numbers[n], "number %d", n)
	}
}

func TestCreateDeploymentOfADeletedProject(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	b.remove(of(p))
	_, _, err := b.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestCreateDeployment_IsRefusedWhenTooManyHaveNotEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, other := b.project("app"), b.project("other")
	request := deployment.NewDeployment{Project: p, Environment: "production", IdempotencyKey: "k", RequestDigest: []byte("d"), MaxOpen: 2}
	first, _, err := b.CreateDeployment(t.Context(), request)
	require.NoError(t, err)
	b.deploy(other, "production")

	more := deployment.NewDeployment{Project: p, Environment: "branch/new", MaxOpen: 2}
	_, created, err := b.CreateDeployment(t.Context(), more)
	require.ErrorIs(t, err, deployment.ErrTooManyOpen)
	require.False(t, created)
	_, err = b.Environment(t.Context(), p.ID, "branch/new")
	require.ErrorIs(t, err, deployment.ErrNotFound)

	again, created, err := b.CreateDeployment(t.Context(), request)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.ID, again.ID)

	more.MaxOpen = 3
	d, created, err := b.CreateDeployment(t.Context(), more)
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, 2, d.Number, "a refusal takes no number")
}
