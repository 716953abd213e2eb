package activities_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// alone is a bench with a namespace of its own: what one reconciler finds there is not another test's.
func alone(t *testing.T) *bench {
	t.Helper()
	ns := devservertest.Namespace(t)
	b := newBenchOn(t, devservertest.ClientOf(t, ns))
	b.deploys = &temporal.Deploys{Client: b.client, Namespace: ns, Limits: temporal.DefaultLimits()}
	return b
}

func (b *bench) isOpen(d deployment.Deployment) bool {
	b.t.Helper()
	_, open, err := b.deploys.CurrentRun(context.Background(), d.ID)
	require.NoError(b.t, err)
	return open
}

// A workflow that no row needs would hold its place and its timers for hours.
func TestRepair_TerminatesWorkflowsThatNoDeploymentNeeds(t *testing.T) {
	t.Parallel()
	b := alone(t)
	ended, unknown, live, waits := b.deploy(), b.deployTo("branch/a"), b.deployTo("branch/b"), b.deployTo("branch/c")
	for _, d := range []deployment.Deployment{ended, unknown, live, waits} {
		require.NoError(t, b.deploys.Start(t.Context(), d, b.project))
	}
	_, err := b.client.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{ID: "deploy/by-hand", TaskQueue: "nobody's"}, temporal.WorkflowDeploy)
	require.NoError(t, err)
	run, _, err := b.deploys.CurrentRun(t.Context(), ended.ID)
	require.NoError(t, err)
	require.NoError(t, b.store.BeginRun(t.Context(), ended.ID, "", run))
	_, err = b.store.Finish(t.Context(), ended.ID, run, deployment.StatusFailed, nil)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "DELETE FROM deployments WHERE id = $1", unknown.ID)
	require.NoError(t, err)
	for _, set := range []string{"status = 'releasing'", "status = 'ready', ready_at = now(), finished_at = now()"} {
		_, err = b.pool.Exec(t.Context(), "UPDATE deployments SET "+set+" WHERE id = $1", live.ID)
		require.NoError(t, err)
	}
	r := b.reconciler()

	young, err := r.Repair(t.Context(), temporal.ReconcileInput{})
	require.NoError(t, err)
	require.Zero(t, young.Terminated, "it may be about to close by itself")
	r.Grace = 0
	want := []string{"workflow deploy/" + ended.ID + ": terminated", "workflow deploy/" + unknown.ID + ": terminated"}
	require.Eventually(t, func() bool { // the visibility store is a moment behind
		look, err := r.Repair(t.Context(), temporal.ReconcileInput{DryRun: true})
		require.NoError(t, err)
		return len(look.Differences) == len(want)
	}, soon, 50*time.Millisecond)
	require.True(t, b.isOpen(ended), "it only looked")
	done, err := r.Repair(t.Context(), temporal.ReconcileInput{List: true})
	require.NoError(t, err)
	require.ElementsMatch(t, want, things(done.Differences))
	require.Equal(t, 2, done.Terminated)
	require.False(t, b.isOpen(ended))
	require.False(t, b.isOpen(unknown))
	require.True(t, b.isOpen(live), "its drain goes on")
	require.True(t, b.isOpen(waits))
	hand, err := b.client.DescribeWorkflowExecution(t.Context(), "deploy/by-hand", "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, hand.GetWorkflowExecutionInfo().GetStatus())
}

// One look names all that a pass would repair, and changes none of it.
func TestRepair_ADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	canceled := b.deployTo("branch/a")
	_, err := b.store.RequestCancel(t.Context(), canceled.ID)
	require.NoError(t, err)
	r := b.reconciler()
	r.Age = 0
	r.Repaired = func(kind string, n int) { require.Zero(t, n, kind) }
	look, err := r.Repair(t.Context(), temporal.ReconcileInput{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, []string{"deployment app#1: started", "deployment app#2: canceled once more"}, things(look.Differences))
	require.Equal(t, deployment.StatusCanceling, b.get(canceled).Status)
	require.False(t, b.isOpen(d))
}

// What cannot be repaired is named with the reason, and keeps nobody from seeing the rest.
func TestRepair_NamesWhatItCannotRepair(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.deploy()
	_, err := b.pool.Exec(t.Context(), "UPDATE projects SET deleted_at = now()") // under its feet
	require.NoError(t, err)
	r := b.reconciler()
	r.Age = 0
	found, err := r.Repair(t.Context(), temporal.ReconcileInput{List: true})
	require.NoError(t, err)
	require.Equal(t, []string{"deletion app: begun", "deployment app#1: started"}, things(found.Differences))
	require.Contains(t, found.Differences[0].Error, "not found")
	require.Empty(t, found.Differences[1].Error)
}

// repositories are those that the store names; the registry answers for the ones that it has.
type repositories struct {
	activities.Tags
	names []string
}

func (r repositories) Repositories(context.Context, int) ([]string, error) { return r.names, nil }

// registryWithout is a registry that cannot list the tags of repositories with an x.
type registryWithout struct {
	activities.ImageStore
	asked []string
}

func (r *registryWithout) Tags(_ context.Context, repository string) ([]string, error) {
	r.asked = append(r.asked, repository)
	if strings.Contains(repository, "x") {
		return nil, errors.New("connection refused")
	}
	return nil, nil
}

// One repository that is broken hides no other; a registry that is away is not asked for each.
func TestCompareTags_GivesUpOnARegistryThatIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.reconciler()
	images := &registryWithout{ImageStore: b.shelf}
	r.Images, r.Tags = images, repositories{b.store, []string{"x1", "a", "x2", "x3", "b"}}
	_, err := r.CompareTags(t.Context(), temporal.ReconcileInput{})
	require.Equal(t, deployment.ComponentRegistry, deployment.AsFailure(err).Component)
	require.Equal(t, []string{"x1", "a", "x2", "x3"}, images.asked)
}

func TestCompareTags(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	r := b.reconciler()
	r.Grace = 0
	foreign, late := "registry:5000/app:0199aaaa-0000-7000-8000-000000000001-1-x", "registry:5000/app:"+d.ID+"-7-late"
	b.shelf.push(foreign, digestOf("x"))
	b.shelf.push("registry:5000/app:latest", digestOf("x"))
	compare := func(in temporal.ReconcileInput) temporal.ReconcileResult {
		result, err := r.CompareTags(t.Context(), in)
		require.NoError(t, err)
		return result
	}
	require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceCacheTag, Name: cacheTag(d), DeploymentID: d.ID}))
	b.shelf.push(cacheTag(d), digestOf("cache"))
	require.Zero(t, compare(temporal.ReconcileInput{List: true}), "what is not known may be another installation's")

	b.shelf.push(late, digestOf("x"))
	require.Len(t, compare(temporal.ReconcileInput{DryRun: true}).Differences, 1)
	require.NotContains(t, b.owned(d, deployment.ResourceImageTag), late)
	require.Equal(t, 1, compare(temporal.ReconcileInput{}).Tags)
	require.Contains(t, b.owned(d, deployment.ResourceImageTag), late)

	require.NoError(t, b.shelf.Delete(t.Context(), late))
	require.Equal(t, []string{"image_tag " + late + ": taken out of the ledger"}, things(compare(temporal.ReconcileInput{List: true}).Differences))
	require.NotContains(t, b.owned(d, deployment.ResourceImageTag), late)
	require.Len(t, b.owned(d, deployment.ResourceImageTag), 1)
	require.NoError(t, b.shelf.Delete(t.Context(), cacheTag(d)))
	require.Zero(t, compare(temporal.ReconcileInput{List: true}), "its export may go on")
	require.NoError(t, b.store.Disown(t.Context(), deployment.Resource{Kind: deployment.ResourceCacheTag, Name: cacheTag(d), DeploymentID: d.ID}))
	b.shelf.push(cacheTag(d), digestOf("cache"))
	require.Equal(t, 1, compare(temporal.ReconcileInput{}).Tags)
	require.Equal(t, []string{cacheTag(d)}, b.owned(d, deployment.ResourceCacheTag), "as what it is")
	require.Contains(t, b.shelf.tags(), foreign)
	require.Zero(t, compare(temporal.ReconcileInput{List: true}))
}
