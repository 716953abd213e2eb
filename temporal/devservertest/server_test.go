package devservertest_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/testbed"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

func TestMain(m *testing.M) { devservertest.Main(m) }

const queue = "test"

// nap sleeps on a durable timer and sets a search attribute, which history and frontend must both know.
func nap(ctx workflow.Context, d time.Duration) (string, error) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, temporal.AttrStep.ValueSet("nap")); err != nil {
		return "", err
	}
	return "rested", workflow.Sleep(ctx, d)
}

// startWorker serves queue until the test ends.
func startWorker(t *testing.T, c sdkclient.Client, register func(sdkworker.Registry)) {
	t.Helper()
	w := sdkworker.New(c, queue, sdkworker.Options{})
	register(w)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func TestKilledServerContinuesItsWorkflows(t *testing.T) {
	t.Parallel()
	s := devservertest.New(t)
	c := s.Client(t)
	startWorker(t, c, func(r sdkworker.Registry) { r.RegisterWorkflow(nap) })
	run, err := c.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{ID: "nap", TaskQueue: queue}, nap, 2*time.Second)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return timerStarted(t, c, run) }, time.Minute, 20*time.Millisecond)

	s.Kill()
	s.Restart(t)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got string
	require.NoError(t, run.Get(ctx, &got))
	require.Equal(t, "rested", got)
}

func timerStarted(t *testing.T, c sdkclient.Client, run sdkclient.WorkflowRun) bool {
	t.Helper()
	history := c.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(t, err)
		if e.GetEventType() == enumspb.EVENT_TYPE_TIMER_STARTED {
			return true
		}
	}
	return false
}

func TestFreshNamespaceTakesSearchAttributesAtOnce(t *testing.T) {
	t.Parallel()
	c := devservertest.Client(t)
	startWorker(t, c, func(r sdkworker.Registry) { r.RegisterWorkflow(nap) })
	run, err := c.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{
		ID: "nap", TaskQueue: queue,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(temporal.AttrProject.ValueSet("p1")),
	}, nap, time.Millisecond)
	require.NoError(t, err)
	require.NoError(t, run.Get(t.Context(), nil))
	require.Eventually(t, func() bool {
		found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "SlipwayProject = 'p1' AND SlipwayStep = 'nap'",
		})
		return err == nil && len(found.GetExecutions()) == 1
	}, time.Minute, 20*time.Millisecond)
}

func TestCancelIsPushedToAnActivityThatNeverHeartbeats(t *testing.T) {
	t.Parallel()
	c := devservertest.Client(t)
	started := make(chan struct{})
	stubborn := func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}
	hold := func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Hour, WaitForCancellation: true,
			RetryPolicy: &sdktemporal.RetryPolicy{MaximumAttempts: 1},
		})
		return workflow.ExecuteActivity(ctx, stubborn).Get(ctx, nil)
	}
	startWorker(t, c, func(r sdkworker.Registry) {
		r.RegisterWorkflow(hold)
		r.RegisterActivity(stubborn)
	})
	run, err := c.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{ID: "hold", TaskQueue: queue}, hold)
	require.NoError(t, err)
	<-started
	require.NoError(t, c.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = run.Get(ctx, nil)
	require.True(t, sdktemporal.IsCanceledError(err), "%v", err)
}

func TestRetentionIsWhatTheServerWasLastStartedWith(t *testing.T) {
	t.Parallel()
	s := devservertest.New(t, "--retention", "36h")
	retention := func() time.Duration {
		found, err := s.Client(t).WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
		require.NoError(t, err)
		return found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	}
	require.Equal(t, 36*time.Hour, retention())
	require.NoError(t, s.Terminate())
	s.Restart(t, "--retention", "48h")
	require.Equal(t, 48*time.Hour, retention())
}

func TestWebUIAnswers(t *testing.T) {
	t.Parallel()
	free, err := testbed.FreePorts(1)
	require.NoError(t, err)
	addr := free[0]
	devservertest.New(t, "--ui-addr", addr, "--ui-codec", "http://127.0.0.1:1/codec")
	require.Contains(t, get(t, "http://"+addr+"/"), "<html")
	require.Contains(t, get(t, "http://"+addr+"/api/v1/settings"), "http://127.0.0.1:1/codec")
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, resp.Body.Close()) })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(page)
}

// Six tasks of one project wait when one of another comes: without fairness that one would be the last.
func TestTasksOfProjectsTakeTurns(t *testing.T) {
	t.Parallel()
	ns := devservertest.Namespace(t)
	c := devservertest.ClientOf(t, ns)
	order := make(chan string, 7)
	note := func(_ context.Context, project string) error {
		order <- project
		return nil
	}
	crowd := func(ctx workflow.Context, project string, tasks int) error {
		var all []workflow.Future
		for range tasks {
			ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
				TaskQueue: "crowded", StartToCloseTimeout: time.Minute, Priority: sdktemporal.Priority{FairnessKey: project},
			})
			all = append(all, workflow.ExecuteActivity(ctx, note, project))
		}
		for _, one := range all {
			if err := one.Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	}
	startWorker(t, c, func(r sdkworker.Registry) { r.RegisterWorkflow(crowd); r.RegisterActivity(note) })
	start := func(project string, tasks int) sdkclient.WorkflowRun {
		run, err := c.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{ID: project, TaskQueue: queue}, crowd, project, tasks)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			d, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
			return err == nil && len(d.GetPendingActivities()) == tasks
		}, time.Minute, 20*time.Millisecond)
		return run
	}
	runs := []sdkclient.WorkflowRun{start("a", 6), start("b", 1)}
	require.Eventually(t, func() bool {
		d, err := c.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
			Namespace: ns, TaskQueue: &taskqueuepb.TaskQueue{Name: "crowded"}, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
			ReportStats: true,
		})
		return err == nil && d.GetStats().GetApproximateBacklogCount() == 7
	}, time.Minute, 20*time.Millisecond) // the server counts anew every five seconds

	w := sdkworker.New(c, "crowded", sdkworker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
	})
	w.RegisterActivity(note)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	for _, run := range runs {
		require.NoError(t, run.Get(t.Context(), nil))
	}
	close(order)
	var got []string
	for project := range order {
		got = append(got, project)
	}
	require.Less(t, slices.Index(got, "b"), 3, "%v", got)
}

func TestSecondServerOnOneFileIsRefused(t *testing.T) {
	t.Parallel()
	s := devservertest.New(t)
	require.ErrorContains(t, s.StartTwin(), "in use by another temporal server")
}
