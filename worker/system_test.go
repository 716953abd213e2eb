package worker_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// eventually is for a whole deploy on a busy machine: seven attempts at a step alone have taken 18 s on one.
const eventually, tick = 3 * time.Minute, 20 * time.Millisecond

// system is one host with the whole worker, on a real Temporal server and Postgres.
type system struct {
	t       *testing.T
	host    *host
	store   *postgres.Store
	writer  *logs.Writer
	client  sdkclient.Client
	deploys *temporal.Deploys
	project deployment.Project
}

// newIdleSystem is one whose worker does not run yet.
func newIdleSystem(t *testing.T) *system {
	t.Helper()
	return newSystemOn(t, func(o postgres.Options) *postgres.Store { return postgres.New(postgrestest.New(t), o) })
}

// newSystemOn is one whose worker does not run yet, on the store that open returns.
func newSystemOn(t *testing.T, open func(postgres.Options) *postgres.Store) *system {
	t.Helper()
	keys, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset")})
	require.NoError(t, err)
	s := &system{t: t, store: open(postgres.Options{PreviewDomain: "localhost", Cipher: keys})}
	s.writer = logs.NewWriter(s.store.Pool(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { assert.NoError(t, s.writer.Close(context.WithoutCancel(t.Context()))) })
	namespace := devservertest.Namespace(t)
	s.client = devservertest.ClientOf(t, namespace)
	s.deploys = &temporal.Deploys{Client: s.client, Namespace: namespace, Limits: temporal.DefaultLimits()}
	s.host = &host{id: "a", store: s.store, t: t, namespace: namespace}
	s.host.on("solve", func(context.Context) error { return nil })
	s.project, err = s.store.CreateProject(t.Context(), deployment.Project{Name: "app", RepoURL: "https://git.example.com/app"}.WithDefaults())
	require.NoError(t, err)
	return s
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := newIdleSystem(t)
	s.host.work(s.client, s.writer, s.deploys.Limits)
	return s
}

func (s *system) deploy() deployment.Deployment {
	s.t.Helper()
	d, _, err := s.store.CreateDeployment(s.t.Context(), deployment.NewDeployment{Project: s.project, Environment: "production"})
	require.NoError(s.t, err)
	require.NoError(s.t, s.deploys.Start(s.t.Context(), d, s.project))
	return d
}

func (s *system) get(d deployment.Deployment) deployment.Deployment {
	s.t.Helper()
	d, err := s.store.Deployment(s.t.Context(), d.ID)
	require.NoError(s.t, err)
	return d
}

// until waits until a deployment has a status and its workflow, when that is an end, is closed.
func (s *system) until(d deployment.Deployment, status deployment.Status) deployment.Deployment {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.get(d).Status == status }, eventually, tick, "%s", status)
	if status.Ended() {
		require.Eventually(s.t, func() bool { _, open := s.current(d); return !open }, eventually, tick, "workflow is closed")
	}
	return s.get(d)
}

func (s *system) current(d deployment.Deployment) (run string, open bool) {
	s.t.Helper()
	run, open, err := s.deploys.CurrentRun(s.t.Context(), d.ID)
	require.NoError(s.t, err)
	return run, open
}

// retry does what POST /v1/deployments/{id}/retry does.
func (s *system) retry(ctx context.Context, d deployment.Deployment) error {
	d, err := s.store.RequestRetry(ctx, d.ID, 0)
	if err != nil {
		return err
	}
	return temporal.MakeRetry(ctx, s.store, s.deploys, d)
}

func (s *system) reconciler() *activities.Reconciler {
	return &activities.Reconciler{Store: s.store, Ledger: s.store, Stuck: s.store, Deleted: s.store, Retention: s.store, Keep: activities.Keep{Images: 5, Unused: time.Hour}, Workflows: s.deploys, Images: s.host, Grace: time.Minute, Leases: s.store, Policy: s.host.policy}
}

func (s *system) history(d deployment.Deployment, run string) (list []*historypb.HistoryEvent) {
	s.t.Helper()
	events := s.client.GetWorkflowHistory(s.t.Context(), temporal.DeployWorkflowID(d.ID), run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(s.t, err)
		list = append(list, event)
	}
	return list
}

// point chooses the event that a reset goes to.
type point func(history []*historypb.HistoryEvent) int64

func firstWorkflowTask(history []*historypb.HistoryEvent) int64 {
	for _, e := range history {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return e.GetEventId()
		}
	}
	return 0
}

func lastWorkflowTask(history []*historypb.HistoryEvent) (last int64) {
	for _, e := range history {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			last = e.GetEventId()
		}
	}
	return last
}

// taskOf is the task that scheduled the last activity of that name.
func taskOf(activity string) point {
	return func(history []*historypb.HistoryEvent) (last int64) {
		for _, e := range history {
			if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == activity {
				last = a.GetWorkflowTaskCompletedEventId()
			}
		}
		return last
	}
}

// reset does what an operator does in the Web UI or with tctl, and returns the new run.
func (s *system) reset(d deployment.Deployment, to point) string {
	s.t.Helper()
	run, _ := s.current(d)
	response, err := s.client.ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 s.deploys.Namespace,
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: temporal.DeployWorkflowID(d.ID), RunId: run},
		WorkflowTaskFinishEventId: to(s.history(d, run)), Reason: "test",
	})
	require.NoError(s.t, err)
	return response.GetRunId()
}

// steps are the statuses of a run's steps, the last of each name.
func (s *system) steps(d deployment.Deployment, run string) map[deployment.StepName]deployment.StepStatus {
	s.t.Helper()
	all, err := s.store.Steps(s.t.Context(), d.ID)
	require.NoError(s.t, err)
	found := map[deployment.StepName]deployment.StepStatus{}
	for _, step := range all {
		if step.RunID == run {
			found[step.Name] = step.Status
		}
	}
	return found
}

// requireLive checks that the deployment is live under a run, and that nothing is left of any other.
func (s *system) requireLive(d deployment.Deployment, run string) {
	s.t.Helper()
	d = s.until(d, deployment.StatusReady)
	require.Equal(s.t, run, d.RunID)
	current, _ := s.current(d)
	require.Equal(s.t, run, current)
	sweeper := activities.Sweeper{
		LeftOvers: s.store, Ledger: s.store, Engine: s.host, Workspaces: s.host.workspaces,
		Mirrors: source.NewMirrors(s.t.TempDir(), 0), Projects: s.store, HostID: s.host.id,
		Alone: new(activities.OneByOne).Take,
	}
	_, err := sweeper.Sweep(s.t.Context())
	require.NoError(s.t, err)
	require.Len(s.t, s.host.running(), 1)
	live, err := s.store.LivePreviews(s.t.Context(), s.host.id)
	require.NoError(s.t, err)
	require.Equal(s.t, s.host.running()[0], live[0].Container)
	owned, err := s.store.Owned(s.t.Context(), d.ID, "", deployment.ResourceContainer, deployment.ResourceLease, deployment.ResourceWorkspace)
	require.NoError(s.t, err)
	require.Len(s.t, owned, 1, "%v", owned)
	require.Equal(s.t, run, owned[0].RunID)
}

// failing fails as often as it is told to, for a reason of the user's.
func failing(times int) func(context.Context) error {
	var mu sync.Mutex
	return func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if times--; times >= 0 {
			return deployment.UserFailure("app.broken", "mend it", "it is broken")
		}
		return nil
	}
}
