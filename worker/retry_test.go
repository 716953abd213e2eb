package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/interceptor"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.temporal.io/server/api/adminservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// A retry does again what failed and what came after it. What stands is used: the commit, the plan, the image; a checkout does
// not, since the build host has given it back.
func TestRetry_FromWhereverItFailed(t *testing.T) {
	t.Parallel()
	fromFetch := map[deployment.StepName]deployment.StepStatus{
		"resolve": "reused", "fetch": "succeeded", "plan": "succeeded", "build": "succeeded", "release": "succeeded",
	}
	fromBuild := maps.Clone(fromFetch)
	fromBuild["plan"] = "reused"
	fromRelease := map[deployment.StepName]deployment.StepStatus{"resolve": "reused", "release": "succeeded"}
	theRelease := map[deployment.StepName]deployment.StepStatus{"release": "succeeded"}
	all := maps.Clone(fromFetch)
	all["resolve"] = "succeeded"
	for name, c := range map[string]struct {
		broken string // the point that fails twice
		reset  point  // nil: as the REST API does
		want   map[deployment.StepName]deployment.StepStatus
	}{
		"resolve, REST": {broken: "resolve", want: all},
		"fetch, REST":   {broken: "fetch", want: fromFetch},
		"plan, REST":    {broken: "plan", want: fromFetch},
		"build, REST":   {broken: "solve", want: fromBuild},
		"pull, REST":    {broken: "pull", want: fromRelease},
		"start, REST":   {broken: "start", want: fromRelease},
		"probe, REST":   {broken: "probe", want: fromRelease},

		"resolve, LastWorkflowTask":        {broken: "resolve", reset: lastWorkflowTask, want: all},
		"fetch, the failed fetch's task":   {broken: "fetch", reset: taskOf("FetchSource"), want: without(fromFetch, "resolve")},
		"plan, LastWorkflowTask":           {broken: "plan", reset: lastWorkflowTask, want: fromFetch},
		"pull, FirstWorkflowTask":          {broken: "pull", reset: firstWorkflowTask, want: fromRelease},
		"probe, FirstWorkflowTask":         {broken: "probe", reset: firstWorkflowTask, want: fromRelease},
		"build, LastWorkflowTask":          {broken: "solve", reset: lastWorkflowTask, want: fromBuild},
		"probe, LastWorkflowTask":          {broken: "probe", reset: lastWorkflowTask, want: fromRelease},
		"build, the failed build's task":   {broken: "solve", reset: taskOf("BuildImage"), want: without(fromBuild, "resolve")},
		"probe, the failed release's task": {broken: "probe", reset: taskOf("ReleasePreview"), want: theRelease},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.host.on(c.broken, failing(2))
			if c.broken != "solve" {
				s.host.on("solve", failing(0)) // which pushes
			}
			d := s.deploy()
			for range 2 { // twice in a row: the second time it is a retry of a retry
				failed := s.until(d, deployment.StatusFailed)
				require.Equal(t, "app.broken", failed.Failure.Code)
				if c.reset != nil {
					s.reset(d, c.reset)
				} else {
					require.NoError(t, s.retry(t.Context(), d))
				}
				require.Eventually(t, func() bool { return s.get(d).RunID != failed.RunID }, eventually, tick, "a new run")
			}
			run, _ := s.current(d)
			s.requireLive(d, run)
			require.Equal(t, c.want, s.steps(d, run))
			all, err := s.store.Steps(t.Context(), d.ID)
			require.NoError(t, err)
			runs := map[string]bool{}
			for _, step := range all {
				runs[step.RunID] = true
			}
			require.Len(t, runs, 3, "the attempts of every run are kept")
		})
	}
}

func without(steps map[deployment.StepName]deployment.StepStatus, step deployment.StepName) map[deployment.StepName]deployment.StepStatus {
	steps = maps.Clone(steps)
	delete(steps, step)
	return steps
}

// What a retry would use again is made anew when it would come out otherwise, or is gone.
func TestRetry_OfWhatStandsNoMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change      func(*system)
		plan, build deployment.StepStatus
	}{
		"the image is gone": {func(s *system) { s.host.lose() }, "reused", "succeeded"},
		"a build variable has changed": {func(s *system) {
			vars := []deployment.EnvVar{{Name: "FLAVOUR", Value: "sweet", Target: deployment.TargetBuild}}
			require.NoError(s.t, s.store.ReplaceEnvVars(s.t.Context(), deployment.Scope{ProjectID: s.project.ID}, vars))
		}, "succeeded", "succeeded"},
		"a setting of the build has changed": {func(s *system) {
			p, err := s.store.Project(s.t.Context(), s.project.ID)
			require.NoError(s.t, err)
			p.BuildCommand = "make"
			_, err = s.store.UpdateProject(s.t.Context(), p)
			require.NoError(s.t, err)
		}, "succeeded", "reused"}, // of the same plan as before
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.host.on("solve", failing(0))
			s.host.on("probe", failing(1))
			d := s.until(s.deploy(), deployment.StatusFailed)
			c.change(s)
			require.NoError(t, s.retry(t.Context(), d))
			s.until(d, deployment.StatusReady)
			run, _ := s.current(d)
			s.requireLive(d, run)
			require.Equal(t, map[deployment.StepName]deployment.StepStatus{
				"resolve": "reused", "fetch": "succeeded", "plan": c.plan, "build": c.build, "release": "succeeded",
			}, s.steps(d, run))
		})
	}
}

// A run that finds its checkout gone takes the segment again: the attempts go on counting, and no row takes another's place.
func TestSteps_OfASegmentThatIsTakenAgain(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(0))
	var d deployment.Deployment
	made := make(chan struct{})
	s.host.on("plan", func(context.Context) error {
		<-made
		return s.host.workspaces.Remove(d.ID)
	})
	d = s.deploy()
	close(made)
	d = s.until(d, deployment.StatusReady)
	s.requireLive(d, d.RunID)
	steps, err := s.store.Steps(t.Context(), d.ID)
	require.NoError(t, err)
	var rows []string
	for _, step := range steps {
		if step.Name != deployment.StepRelease {
			rows = append(rows, fmt.Sprintf("%s %d %s", step.Name, step.Attempt, step.Status))
		}
	}
	require.Equal(t, []string{
		"resolve 1 succeeded", "fetch 1 succeeded", "plan 1 succeeded", "build 1 failed",
		"fetch 2 succeeded", "plan 2 reused", "build 2 succeeded",
	}, rows)
}

// The host that built the first time is gone: another one takes the retry over.
func TestRetry_OnAnotherHost(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	stop := s.host.work(s.client, s.writer, s.deploys.Limits)
	s.host.on("solve", failing(1))
	d := s.until(s.deploy(), deployment.StatusFailed)
	stop()
	require.NoError(t, s.store.SeenHost(t.Context(), s.host.id, []string{}, 0)) // nobody waits until it counts as gone
	other := &host{id: "b", store: s.store, t: t}
	other.on("solve", failing(0))
	other.work(s.client, s.writer, s.deploys.Limits)
	require.NoError(t, s.retry(t.Context(), d))
	d = s.until(d, deployment.StatusReady)
	steps, err := s.store.Steps(t.Context(), d.ID)
	require.NoError(t, err)
	for _, step := range steps {
		want := "a"
		if step.RunID == d.RunID {
			want = "b"
		}
		require.Equal(t, want, step.Host, "%s", step.Name)
	}
}

func TestRetry_AfterACancel(t *testing.T) {
	t.Parallel()
	for name, retry := range map[string]func(*system, deployment.Deployment){
		"REST":              func(s *system, d deployment.Deployment) { require.NoError(s.t, s.retry(s.t.Context(), d)) },
		"FirstWorkflowTask": func(s *system, d deployment.Deployment) { s.reset(d, firstWorkflowTask) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			begun := make(chan struct{})
			s.host.on("solve", func(ctx context.Context) error { close(begun); <-ctx.Done(); return ctx.Err() })
			d := s.deploy()
			<-begun
			require.NoError(t, s.client.CancelWorkflow(t.Context(), temporal.DeployWorkflowID(d.ID), "")) // as tctl does
			canceled := s.until(d, deployment.StatusCanceled)
			require.Nil(t, canceled.Failure)
			owned, err := s.store.Owned(t.Context(), d.ID, "", deployment.ResourceLease, deployment.ResourceWorkspace, deployment.ResourceContainer)
			require.NoError(t, err)
			require.Empty(t, owned)

			s.reset(d, lastWorkflowTask)
			s.until(d, deployment.StatusCanceled)
			require.Equal(t, canceled, s.get(d), "the cancel is replayed too")

			s.host.on("solve", failing(0))
			retry(s, d)
			s.until(d, deployment.StatusReady)
			run, _ := s.current(d)
			s.requireLive(d, run)
		})
	}
}

// The run that goes on is terminated: what it does is stale at once, and what it made goes.
func TestRetry_OfARunThatGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		during string
		reset  point
	}{
		"while it builds":                           {"solve", firstWorkflowTask},
		"while it is probed":                        {"probe", firstWorkflowTask},
		"to the claim of the slot that it holds":    {"solve", taskOf("ClaimHost")},
		"to the very step that is under way":        {"probe", taskOf("ReleasePreview")},
		"to the last task, which is under way, too": {"solve", lastWorkflowTask},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			begun, told := make(chan struct{}), make(chan struct{})
			s.host.on(c.during, func(ctx context.Context) error { close(begun); <-ctx.Done(); close(told); return nil })
			d := s.deploy()
			<-begun
			former := s.get(d).RunID
			s.host.on(c.during, failing(0))
			run := s.reset(d, c.reset)
			require.NotEqual(t, former, run)
			require.Eventually(t, func() bool { // what waits for the slot of its own predecessor is helped by the reconciler
				_, err := s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
				return assert.NoError(t, err) && s.get(d).Status == deployment.StatusReady
			}, eventually, 5*tick)
			<-told
			s.requireLive(d, run)
			require.NotContains(t, s.steps(d, former), deployment.StepRunning)
			stale := deployment.StepAttempt{DeploymentID: d.ID, RunID: former, Step: deployment.StepBuild, Attempt: 1}
			require.ErrorIs(t, s.store.StepStarted(t.Context(), stale, time.Now()), deployment.ErrStaleRun)
		})
	}
}

func TestRetry_ManyAtOnceMakeOneRun(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(1))
	d := s.deploy()
	s.until(d, deployment.StatusFailed)
	var wait sync.WaitGroup
	refused := make(chan error, 4)
	for range cap(refused) {
		wait.Go(func() { refused <- s.retry(t.Context(), d) })
		wait.Go(func() {
			_, err := s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
			assert.NoError(t, err)
		})
	}
	wait.Wait()
	close(refused)
	accepted := 0
	for err := range refused {
		if err == nil {
			accepted++
			continue
		}
		require.ErrorIs(t, err, deployment.ErrNotRetryable)
	}
	require.Equal(t, 1, accepted)
	s.until(d, deployment.StatusReady)
	require.Eventually(t, func() bool {
		list, err := s.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: "WorkflowId = '" + temporal.DeployWorkflowID(d.ID) + "'",
		})
		require.NoError(t, err)
		return list.GetCount() == 2
	}, eventually, tick, "the run that failed and the one of the retry")
	run, _ := s.current(d)
	s.requireLive(d, run)
}

// The process that was asked dies before it has reset the workflow, or before it has stored the new run.
func TestRetry_HalfDone(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]bool{"before the reset": false, "before the row": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.host.on("solve", failing(1))
			d := s.until(s.deploy(), deployment.StatusFailed)
			_, err := s.store.RequestRetry(t.Context(), d.ID, 0)
			require.NoError(t, err)
			var made string
			if reset {
				made, err = s.deploys.Retry(t.Context(), d, s.project)
				require.NoError(t, err)
			}
			_, err = s.reconciler().Repair(t.Context(), temporal.ReconcileInput{})
			require.NoError(t, err)
			s.until(d, deployment.StatusReady)
			run, _ := s.current(d)
			if reset {
				require.Equal(t, made, run, "not reset a second time")
			}
			s.requireLive(d, run)
		})
	}
}

// Past the namespace's retention there is nothing to reset.
func TestRetry_PastRetention(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(1))
	d := s.until(s.deploy(), deployment.StatusFailed)
	connection, err := grpc.NewClient(devservertest.Start(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	_, err = adminservice.NewAdminServiceClient(connection).DeleteWorkflowExecution(t.Context(), &adminservice.DeleteWorkflowExecutionRequest{
		Namespace: s.deploys.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: temporal.DeployWorkflowID(d.ID), RunId: d.RunID},
	})
	require.NoError(t, err)
	forgotten, _ := s.current(d)
	require.Empty(t, forgotten)
	require.NoError(t, s.retry(t.Context(), d))
	s.until(d, deployment.StatusReady)
	run, _ := s.current(d)
	require.NotEqual(t, d.RunID, run)
	s.requireLive(d, run)
}

// A reset of what is live, or of what a newer one has replaced, closes in order and changes nothing.
func TestRetry_OfWhatIsNotRetried(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(1))
	failed := s.until(s.deploy(), deployment.StatusFailed)
	live := s.until(s.deploy(), deployment.StatusReady)
	require.ErrorIs(t, s.retry(t.Context(), live), deployment.ErrNotRetryable)
	require.ErrorIs(t, s.retry(t.Context(), failed), deployment.ErrReplaced)
	for d, end := range map[*deployment.Deployment]enumspb.EventType{
		&live: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, &failed: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
	} {
		for _, to := range []point{firstWorkflowTask, lastWorkflowTask} {
			run := s.reset(*d, to)
			require.Eventually(t, func() bool { _, open := s.current(*d); return !open }, eventually, tick)
			events := s.history(*d, run)
			require.Equal(t, end, events[len(events)-1].GetEventType())
			stands := s.get(*d)
			stands.RunID = d.RunID
			require.Equal(t, *d, stands)
		}
	}
	require.Len(t, s.host.running(), 1)
}

// A deploy fails under a slipway whose workflow took other steps. After the update a retry works, since nothing of the old
// history but its start is replayed.
func TestRetry_AfterTheWorkflowHasChanged(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	recorder := &activities.Recorder{
		Steps: s.store, Store: s.store, Runs: s.deploys, Logs: s.writer, HostID: s.host.id, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	former := sdkworker.New(s.client, temporal.QueueControl, sdkworker.Options{
		DeploymentOptions: sdkworker.DeploymentOptions{Version: sdkworker.WorkerDeploymentVersion{DeploymentName: "slipway", BuildID: "former"}},
		Interceptors:      []interceptor.WorkerInterceptor{recorder},
	})
	former.RegisterActivity(&activities.Control{
		Store: s.store, Ledger: s.store, Hosts: s.store, Turns: &activities.Turns{Line: s.store, Workflows: s.deploys},
	})
	former.RegisterWorkflowWithOptions(func(ctx workflow.Context, in temporal.DeployInput) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
		end := temporal.CloseInput{DeploymentID: in.DeploymentID, Outcome: deployment.StatusFailed}
		return workflow.ExecuteActivity(ctx, "CloseDeployment", end).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: temporal.WorkflowDeploy})
	require.NoError(t, former.Start())
	d := s.until(s.deploy(), deployment.StatusFailed)
	former.Stop()

	s.host.work(s.client, s.writer, s.deploys.Limits)
	require.NoError(t, s.retry(t.Context(), d))
	s.until(d, deployment.StatusReady)
	run, _ := s.current(d)
	s.requireLive(d, run)
}
