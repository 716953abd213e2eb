package activities_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// removal is what a deletion goes through on one host.
type removal struct {
	*bench
	r  *activities.Reconciler
	in temporal.TeardownInput
}

func (b *bench) removal(scope deployment.Scope) removal {
	b.t.Helper()
	_, err := b.store.Delete(b.t.Context(), scope)
	require.NoError(b.t, err)
	return removal{b, b.reconciler(), temporal.TeardownInput{ProjectID: scope.ProjectID, EnvironmentID: scope.EnvironmentID}}
}

// pass takes the steps of the workflow once and returns what went wrong.
func (m removal) pass(ctx context.Context) error {
	for _, step := range []func(context.Context, temporal.TeardownInput) error{
		m.r.EndDeployments, m.preview.ClearPreviews, m.slots.ClearWorkspaces, m.r.RemoveImages, m.r.PurgeDeleted,
	} {
		if err := step(ctx, m.in); err != nil {
			return err
		}
	}
	return nil
}

// requireGone looks everywhere where something of a deployment could be left.
func (m removal) requireGone(d deployment.Deployment) {
	m.t.Helper()
	require.Empty(m.t, m.engine.running())
	require.Empty(m.t, m.engine.networks)
	require.Empty(m.t, m.shelf.tags())
	require.NoDirExists(m.t, filepath.Join(m.workspaces.Root, d.ID))
	_, err := m.store.Deployment(m.t.Context(), d.ID)
	require.ErrorIs(m.t, err, deployment.ErrNotFound)
	require.Empty(m.t, m.owned(d))
	_, err = m.store.Deletion(m.t.Context(), m.in.Scope().ID())
	require.ErrorIs(m.t, err, deployment.ErrNotFound)
}

func TestTeardown_RemovesWhatNobodyKnowsOfToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	require.NoError(t, b.store.SeenHost(t.Context(), hostID, []string{"build", "preview"}, 1))
	require.NoError(t, b.store.Own(t.Context(), b.lease(d, "a host that is gone")))
	m := b.removal(d.Scope())
	b.engine.add("late-" + d.ID)
	require.NoError(t, os.MkdirAll(filepath.Join(b.workspaces.Root, d.ID, "fetch-9"), 0o700))

	plan, err := m.r.ListTeardown(t.Context(), m.in)
	require.NoError(t, err)
	require.Equal(t, temporal.TeardownPlan{
		Previews: []string{temporal.QueuePreviewHost(hostID)}, Builds: []string{temporal.QueueBuildHost(hostID)},
	}, plan)
	require.Error(t, m.r.PurgeDeleted(t.Context(), m.in), "a container is still owned")
	require.NoError(t, m.pass(t.Context()))
	m.requireGone(d)
	require.NoError(t, m.pass(t.Context()), "once more")
}

func TestTeardown_LeavesOtherEnvironmentsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	kept := b.live()
	gone, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: b.project, Environment: "branch/cart"})
	require.NoError(t, err)
	require.NoError(t, b.run(gone, b.wholeDeploy(gone)))
	require.NoError(t, b.removal(gone.Scope()).pass(t.Context()))
	require.Equal(t, []string{b.project.ID}, b.mirrored(), "the project may deploy again")
	require.Len(t, b.engine.running(), 1)
	require.Contains(t, b.engine.running()[0], kept.ID)
	require.Len(t, b.shelf.tags(), 1)
	require.Contains(t, b.shelf.tags()[0], kept.ID)
	require.Equal(t, deployment.StatusReady, b.get(kept).Status)
}

// mortal is a ledger whose user dies when a thing is gone and its row is not, the first time for each kind.
type mortal struct {
	activities.Ledger
	died sync.Map
}

func (l *mortal) Disown(ctx context.Context, r deployment.Resource) error {
	if _, died := l.died.LoadOrStore(r.Kind, true); !died {
		return errors.New("died with the row of a " + string(r.Kind))
	}
	return l.Ledger.Disown(ctx, r)
}

func TestTeardown_KilledBetweenEachThingAndItsRow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	require.NoError(t, b.store.Own(t.Context(), b.lease(d, "a host that is gone")))
	require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceCacheTag, Name: cacheTag(d), DeploymentID: d.ID}))
	b.shelf.push(cacheTag(d), digestOf("cache"))
	m := b.removal(deployment.Scope{ProjectID: b.project.ID})
	ledger := &mortal{Ledger: b.store}
	m.preview.Ledger, m.slots.Ledger, m.r.Ledger = ledger, ledger, ledger
	var deaths []string
	for {
		err := m.pass(t.Context())
		if err == nil {
			break
		}
		require.ErrorContains(t, err, "died with the row of a ")
		deaths = append(deaths, err.Error()[strings.LastIndex(err.Error(), " ")+1:])
		_, err = b.store.Deletion(t.Context(), b.project.ID)
		require.NoError(t, err, "the rows stand as long as anything does")
	}
	require.Equal(t, []string{"container", "network", "workspace", "cache_tag", "image_tag", "lease"}, deaths)
	require.Empty(t, b.mirrored())
	m.requireGone(d)
}

func TestTeardown_TwiceAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	m := b.removal(d.Scope())
	results := make(chan error, 4)
	for range cap(results) {
		go func() { results <- m.pass(t.Context()) }()
	}
	for range cap(results) {
		require.NoError(t, <-results)
	}
	m.requireGone(d)
}

// What is there again after it was removed keeps its row: nothing is believed that was not looked at.
func TestTeardown_LooksAgainBeforeARowGoes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.live()
	tag := b.owned(d, deployment.ResourceImageTag)[0]
	m := b.removal(d.Scope())
	var looks atomic.Int32
	b.engine.on("owned", func(context.Context) error {
		if looks.Add(1) == 2 { // after the removal
			b.engine.add("late-" + d.ID)
		}
		return nil
	})
	require.ErrorContains(t, m.preview.ClearPreviews(t.Context(), m.in), "container late-"+d.ID+" is there again")
	require.NotEmpty(t, b.owned(d, deployment.ResourceContainer))
	b.shelf.on("digest", once(func(context.Context) error { b.shelf.push(tag, digestOf("late")); return nil }))
	require.ErrorContains(t, m.r.RemoveImages(t.Context(), m.in), "is there again")
	require.Equal(t, []string{tag}, b.owned(d, deployment.ResourceImageTag))
	require.NoError(t, m.pass(t.Context()))
	m.requireGone(d)
}

func TestEndDeployments_CancelsAndWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun, over := make(chan struct{}), make(chan struct{})
	running := b.deploy()
	b.inLine(running)
	unstarted := b.deploy()
	b.git.on("before fetch", func(ctx context.Context) error { close(begun); <-ctx.Done(); <-over; return ctx.Err() })
	run := b.start(running, func(ctx workflow.Context) error {
		err := b.upTo(ctx, running, deployment.StepPlan)
		clean, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		_, e := call[temporal.CloseResult](clean, b, b.control.CloseDeployment, temporal.CloseInput{DeploymentID: running.ID, Outcome: deployment.StatusCanceled})
		return errors.Join(err, e)
	})
	<-begun
	m := b.removal(running.Scope())
	ended := make(chan error, 1)
	go func() { ended <- m.r.EndDeployments(t.Context(), m.in) }()
	require.Eventually(t, func() bool { return b.get(unstarted).Status == deployment.StatusCanceled }, soon, interval, "it has no workflow that could end it")
	select {
	case err := <-ended:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	close(over)
	require.NoError(t, <-ended)
	require.Error(t, run.Get(t.Context(), nil))
	require.Equal(t, deployment.StatusCanceled, b.get(running).Status)
	require.NoError(t, m.r.EndDeployments(t.Context(), m.in), "nothing is under way")
}

func TestEndDeployments_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	r := b.reconciler()
	require.NoError(t, r.Workflows.Start(t.Context(), d, b.project)) // nobody works on it
	m := b.removal(d.Scope())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.r.EndDeployments(ctx, m.in) }()
	require.Eventually(t, func() bool { return strings.Contains(b.historyOf(d), "WorkflowExecutionCancelRequested") }, soon, interval)
	cancel()
	require.ErrorContains(t, <-ended, context.Canceled.Error()) // Temporal's client has a type of its own for it
	require.Equal(t, deployment.StatusCanceling, b.get(d).Status)
}

func TestRepair_StartsALostTeardown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	_, err := b.store.Finish(t.Context(), d.ID, "", deployment.StatusFailed, nil)
	require.NoError(t, err)
	m := b.removal(d.Scope())
	for _, torn := range []int{1, 0} { // the second pass finds the workflow there
		result, err := m.r.Repair(t.Context(), temporal.ReconcileInput{})
		require.NoError(t, err)
		require.Equal(t, temporal.ReconcileResult{Torn: torn}, result)
	}
	found, err := b.client.DescribeWorkflowExecution(t.Context(), temporal.TeardownWorkflowID(d.EnvironmentID), "")
	require.NoError(t, err)
	require.Equal(t, temporal.WorkflowTeardown, found.GetWorkflowExecutionInfo().GetType().GetName())
}

// A workflow may start after its deployment was closed and purged: it has nothing to do, and tries nothing twice.
func TestADeployThatIsPurgedEndsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	require.NoError(t, b.removal(d.Scope()).pass(t.Context()))
	run := b.start(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepFetch) })
	err := run.Get(t.Context(), nil)
	require.True(t, activities.IsType(err, activities.ErrTypeStaleRun), "%v", err)
	require.Equal(t, 1, strings.Count(b.history(run), "ActivityTaskScheduled"))
}

// A step that began a moment before the deletion finds no project: that is the cancel, whichever is seen first.
func TestAStepThatFindsNoProjectIsCanceled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	_, err := b.pool.Exec(t.Context(), "UPDATE projects SET deleted_at = now()")
	require.NoError(t, err)
	err = b.run(d, func(ctx workflow.Context) error { return b.upTo(ctx, d, deployment.StepFetch) })
	require.True(t, activities.IsType(err, activities.ErrTypeCancelAsked), "%v", err)
}

func TestVariablesOfAnEnvironmentReachItsBuildsAndPreviewsAndNoLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setSecret() // TOKEN, of the project
	const own = "0nly-the-environment-knows"
	e, err := b.store.EnsureEnvironment(t.Context(), b.project, "production")
	require.NoError(t, err)
	scope := deployment.Scope{ProjectID: b.project.ID, EnvironmentID: e.ID}
	require.NoError(t, b.store.MergeEnvVars(t.Context(), scope, []deployment.EnvVar{{Name: "TOKEN", Value: own, Target: deployment.TargetBoth}}))
	b.builder.say = func(sink deployment.BuildSink) { sink.Line(deployment.StreamStdout, "token is "+own) }
	d := b.live()
	require.Equal(t, own, b.builder.solves()[0].Secrets["TOKEN"])
	require.Contains(t, b.engine.specs[0].Env, "TOKEN="+own)
	log := strings.Join(b.log(d), "\n")
	require.Contains(t, log, "token is ")
	require.NotContains(t, log, own)

	other, _, err := b.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: b.project, Environment: "branch/cart"})
	require.NoError(t, err)
	require.NoError(t, b.run(other, b.wholeDeploy(other)))
	require.True(t, slices.Contains(b.engine.specs[1].Env, "TOKEN="+secret), "another environment sees the project's")
}
