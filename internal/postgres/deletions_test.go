package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
)

func (b bench) environment(p deployment.Project, name string) deployment.Environment {
	b.t.Helper()
	e, err := b.Environment(b.t.Context(), p.ID, name)
	require.NoError(b.t, err)
	return e
}

func scopeOf(e deployment.Environment) deployment.Scope {
	return deployment.Scope{ProjectID: e.ProjectID, EnvironmentID: e.ID}
}

func TestDeletingAProjectCancelsWhatIsUnderWayAndKeepsItsRowsUntilNothingIsOwned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, kept := b.project("app"), b.deploy(b.project("kept"), "production")
	live, building := b.deploy(p, "production"), b.deploy(p, "branch/a")
	b.live(live, "run-1")
	b.through(building, "run-2", deployment.StepBuild)
	require.NoError(t, b.MergeEnvVars(t.Context(), of(p), []deployment.EnvVar{{Name: "A", Value: "1", Target: deployment.TargetBoth}}))
	network := deployment.Resource{Kind: deployment.ResourceNetwork, Name: "n", Host: "host-9", DeploymentID: live.ID, RunID: "run-1"}
	require.NoError(t, b.Own(t.Context(), network))
	require.ErrorIs(t, b.Purge(t.Context(), of(p)), deployment.ErrNotFound, "it is not deleted")

	d := b.remove(of(p))
	require.Equal(t, "app", d.Name)
	require.Equal(t, []string{"network", "deployment"}, kindsOf(d.Left))
	require.Equal(t, deployment.StatusCanceling, b.status(building.ID))
	require.Equal(t, deployment.StatusReady, b.status(live.ID))
	_, err := b.SwitchRoute(t.Context(), "run-2", preview(building))
	require.ErrorIs(t, err, deployment.ErrCancelRequested)
	_, err = b.Delete(t.Context(), of(p))
	require.ErrorIs(t, err, deployment.ErrNotFound, "deleted already")
	_, _, err = b.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.ErrorIs(t, err, deployment.ErrNotFound)

	all, err := b.Deletions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []deployment.Deletion{d}, all, "its environments are not named by themselves")
	ids, err := b.DeploymentIDs(t.Context(), of(p))
	require.NoError(t, err)
	require.Equal(t, []string{live.ID, building.ID}, ids)
	underWay, err := b.UnderWayIn(t.Context(), of(p))
	require.NoError(t, err)
	require.Len(t, underWay, 1)

	require.NoError(t, b.Disown(t.Context(), network))
	require.ErrorIs(t, b.Purge(t.Context(), of(p)), postgres.ErrStillOwned, "a deployment has not ended")
	_, err = b.Finish(t.Context(), building.ID, "run-2", deployment.StatusCanceled, nil)
	require.NoError(t, err)
	require.NoError(t, b.Own(t.Context(), network))
	require.ErrorIs(t, b.Purge(t.Context(), of(p)), postgres.ErrStillOwned)
	require.NoError(t, b.Disown(t.Context(), network))
	require.NoError(t, b.Purge(t.Context(), of(p)))
	_, err = b.Deployment(t.Context(), live.ID)
	require.ErrorIs(t, err, deployment.ErrNotFound)
	_, err = b.Deletion(t.Context(), p.ID)
	require.ErrorIs(t, err, deployment.ErrNotFound, "it is over")
	require.Equal(t, deployment.StatusQueued, b.status(kept.ID))
	require.ErrorIs(t, b.Purge(t.Context(), of(p)), deployment.ErrNotFound)
	require.Error(t, b.Own(t.Context(), network), "nothing is owned by what is gone")
}

func kindsOf(left []deployment.LeftOver) (kinds []string) {
	for _, l := range left {
		kinds = append(kinds, l.Kind)
	}
	return kinds
}

func TestDeletingAnEnvironmentLeavesTheOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	production, cart := b.deploy(p, "production"), b.deploy(p, "branch/cart")
	b.live(production, "run-1")
	b.live(cart, "run-2")
	gone := b.environment(p, "branch/cart")
	require.NoError(t, b.MergeEnvVars(t.Context(), scopeOf(gone), []deployment.EnvVar{{Name: "A", Value: "1", Target: deployment.TargetBoth}}))
	routes := listen(t, b.Pool(), postgres.ChannelRoutes)

	b.remove(scopeOf(gone))
	require.Equal(t, map[string]bool{cart.EnvHost: true, cart.PreviewHost: true}, routes(), "the gateway is told of both names")
	for _, host := range []string{cart.EnvHost, cart.PreviewHost} {
		_, err := b.Route(t.Context(), host)
		require.ErrorIs(t, err, deployment.ErrNotFound)
	}
	live, err := b.LivePreviews(t.Context(), "host-1")
	require.NoError(t, err)
	require.Len(t, live, 1, "a worker that starts now starts no preview of it")
	_, err = b.EnvironmentByID(t.Context(), gone.ID)
	require.ErrorIs(t, err, deployment.ErrNotFound)
	require.Equal(t, []int{production.Number}, b.numbers(deployment.DeploymentFilter{}, 50))
	require.ErrorIs(t, b.MergeEnvVars(t.Context(), scopeOf(gone), nil), deployment.ErrNotFound)

	again := b.deploy(p, "branch/cart")
	require.Equal(t, cart.EnvHost, again.EnvHost, "its host name is free again")
	require.NotEqual(t, gone.ID, again.EnvironmentID)
	require.EqualValues(t, 1, again.Generation)

	require.NoError(t, b.Purge(t.Context(), scopeOf(gone)))
	_, err = b.Deployment(t.Context(), cart.ID)
	require.ErrorIs(t, err, deployment.ErrNotFound)
	require.Equal(t, deployment.StatusReady, b.status(production.ID))
	require.Equal(t, deployment.StatusQueued, b.status(again.ID))
	items, _, err := b.Environments(t.Context(), p.ID, deployment.Page{})
	require.NoError(t, err)
	require.Len(t, items, 2)
}

func TestADeletionOfAnEnvironmentIsSeenThroughThatOfItsProject(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	b.deploy(p, "branch/cart")
	e := b.environment(p, "branch/cart")
	b.remove(scopeOf(e))
	b.remove(of(p))
	all, err := b.Deletions(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, of(p), all[0].Scope)
	asked, err := b.Deletion(t.Context(), e.ID)
	require.NoError(t, err)
	require.Equal(t, scopeOf(e), asked.Scope)
	require.Equal(t, "branch/cart", asked.Name)
}

func TestHostsOf(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	d, other := b.deploy(p, "production"), b.deploy(p, "branch/a")
	b.live(d, "run") // its steps ran on host-1
	b.through(other, "run", deployment.StepFetch)
	hosts := func(scope deployment.Scope) [2][]string {
		previews, builds, err := b.HostsOf(t.Context(), scope)
		require.NoError(t, err)
		return [2][]string{previews, builds}
	}
	require.Equal(t, [2][]string{}, hosts(of(p)), "host-1 is not there and holds nothing")
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"build", "preview"}, 1))
	require.Equal(t, [2][]string{{"host-1"}, {"host-1"}}, hosts(d.Scope()))
	require.Equal(t, [2][]string{nil, {"host-1"}}, hosts(other.Scope()))
	require.NoError(t, b.Own(t.Context(), deployment.Resource{
		Kind: deployment.ResourceContainer, Name: "c", Host: "gone", DeploymentID: other.ID, RunID: "run",
	}))
	require.Equal(t, [2][]string{{"gone"}, {"host-1"}}, hosts(other.Scope()), "what holds something is waited for")

	owned, err := b.OwnedIn(t.Context(), of(p), "", deployment.ResourceContainer)
	require.NoError(t, err)
	require.Len(t, owned, 1)
	owned, err = b.OwnedIn(t.Context(), d.Scope(), "", deployment.ResourceContainer)
	require.NoError(t, err)
	require.Empty(t, owned)
}

func TestEnvironmentPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	live := b.deploy(p, "production")
	b.live(live, "run")
	b.deploy(p, "branch/b")
	b.deploy(p, "branch/a")
	b.deploy(b.project("other"), "branch/c")
	first, next, err := b.Environments(t.Context(), p.ID, deployment.Page{Limit: 2})
	require.NoError(t, err)
	second, none, err := b.Environments(t.Context(), p.ID, deployment.Page{Limit: 2, Cursor: next})
	require.NoError(t, err)
	require.Empty(t, none)
	require.Equal(t, []string{"branch/a", "branch/b", "production"}, []string{first[0].Name, first[1].Name, second[0].Name})
	production := second[0]
	require.Equal(t, live.ID, production.LiveDeploymentID)
	require.Equal(t, live.Number, production.LiveNumber)
	require.Equal(t, "app", production.ProjectName)
	_, _, err = b.Environments(t.Context(), p.ID, deployment.Page{Cursor: "nonsense"})
	require.ErrorIs(t, err, deployment.ErrInvalidCursor)
	for _, id := range []string{"", "nope", "nul\x00", p.ID} {
		_, err := b.EnvironmentByID(t.Context(), id)
		require.ErrorIs(t, err, deployment.ErrNotFound, "%q", id)
		_, err = b.Deletion(t.Context(), id)
		require.ErrorIs(t, err, deployment.ErrNotFound, "%q", id)
	}
}

func TestEnvVarsOfAnEnvironmentGoBeforeTheProjects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	cart, err := b.EnsureEnvironment(t.Context(), p, "branch/cart")
	require.NoError(t, err)
	again, err := b.EnsureEnvironment(t.Context(), p, "branch/cart")
	require.NoError(t, err)
	require.Equal(t, cart, again)
	runtime := func(name, value string) deployment.EnvVar {
		return deployment.EnvVar{Name: name, Value: value, Target: deployment.TargetRuntime}
	}
	require.NoError(t, b.ReplaceEnvVars(t.Context(), of(p), []deployment.EnvVar{runtime("A", "project's"), runtime("B", "project's")}))
	require.NoError(t, b.MergeEnvVars(t.Context(), scopeOf(cart), []deployment.EnvVar{{Name: "B", Value: "cart's", Target: deployment.TargetBuild}, runtime("C", "cart's")}))

	valuesIn := func(scope deployment.Scope) []deployment.EnvVar {
		vars, err := b.EnvVars(t.Context(), scope)
		require.NoError(t, err)
		for i := range vars {
			vars[i].Version = "" // of the writing, not of the value
		}
		return vars
	}
	require.Equal(t, []deployment.EnvVar{
		runtime("A", "project's"),
		{Name: "B", Value: "cart's", Target: deployment.TargetBuild, EnvironmentID: cart.ID},
		{Name: "C", Value: "cart's", Target: deployment.TargetRuntime, EnvironmentID: cart.ID},
	}, valuesIn(scopeOf(cart)))
	d := b.deploy(p, "production")
	for _, elsewhere := range []deployment.Scope{of(p), d.Scope()} {
		require.Equal(t, []deployment.EnvVar{runtime("A", "project's"), runtime("B", "project's")}, valuesIn(elsewhere))
	}
	require.ErrorIs(t, b.DeleteEnvVar(t.Context(), scopeOf(cart), "A"), deployment.ErrNotFound, "that is the project's")
	require.NoError(t, b.DeleteEnvVar(t.Context(), scopeOf(cart), "B"))
	names, err := b.EnvVarNames(t.Context(), scopeOf(cart))
	require.NoError(t, err)
	require.Equal(t, deployment.EnvVar{Name: "B", Target: deployment.TargetRuntime}, names[1], "the project's is seen again")

	first := b.deploy(p, "branch/cart")
	require.Equal(t, cart.ID, first.EnvironmentID, "the deploy goes to the environment that was made for the variables")
	require.EqualValues(t, 1, first.Generation)
	b.exec("UPDATE env_vars SET environment_id = $1 WHERE name = 'C'", d.EnvironmentID)
	_, err = b.EnvVars(t.Context(), d.Scope())
	require.ErrorContains(t, err, "decrypt C", "a value that was moved to another environment does not decrypt")
	require.NoError(t, b.ReplaceEnvVars(t.Context(), scopeOf(cart), nil))
	require.Len(t, valuesIn(scopeOf(cart)), 2, "the project's stay")
}

// A deletion and a switch of the route at the same moment: either the deploy is ready and goes with its environment, or it
// is canceled; what is not seen is a deploy that becomes ready after the deletion.
func TestDeletionAgainstTheSwitch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	for range 5 {
		d := b.deploy(p, "branch/cart")
		b.through(d, "run", deployment.StepRelease)
		switched := make(chan error, 1)
		go func() {
			_, err := b.SwitchRoute(t.Context(), "run", preview(d))
			switched <- err
		}()
		b.remove(d.Scope())
		status := b.status(d.ID)
		if err := <-switched; err == nil {
			require.Equal(t, deployment.StatusReady, status)
			_, err := b.Route(t.Context(), d.PreviewHost)
			require.ErrorIs(t, err, deployment.ErrNotFound)
			continue
		}
		require.Equal(t, deployment.StatusCanceling, status)
		require.Error(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepRelease), time.Now()))
	}
}
