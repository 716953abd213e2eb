package worker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// gates hold the builds of deployments until they are told how to end.
type gates struct {
	mu    sync.Mutex
	gates map[string]chan error
	begun map[string]string // host, by deployment
}

func (g *gates) of(id string) chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gates == nil {
		g.gates, g.begun = map[string]chan error{}, map[string]string{}
	}
	if g.gates[id] == nil {
		g.gates[id] = make(chan error, 1)
	}
	return g.gates[id]
}

// at is the build on a host.
func (g *gates) at(host string) func(context.Context) error {
	return func(ctx context.Context) error {
		id := temporal.DeploymentOf(activity.GetInfo(ctx).WorkflowExecution.ID)
		gate := g.of(id)
		g.mu.Lock()
		g.begun[id] = host
		g.mu.Unlock()
		select {
		case err := <-gate:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *gates) host(d deployment.Deployment) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.begun[d.ID]
}

// shared is an installation of two hosts with one slot each, of which a project may hold one at a time.
type shared struct {
	*system
	gates
	stop map[string]func() // a host's worker
}

func newShared(t *testing.T) *shared {
	t.Helper()
	s := &shared{system: newIdleSystem(t), stop: map[string]func(){}}
	s.deploys.Limits.RetryInitial, s.deploys.Limits.RetryMaximum = 100*time.Millisecond, 500*time.Millisecond
	s.deploys.Limits.ScheduleToStart = 10 * time.Second // a host that is only busy is not gone
	for _, h := range []*host{s.system.host, {id: "b", store: s.store, t: t, namespace: s.deploys.Namespace}} {
		h.perProject, h.unscheduled = 1, true // the test itself repairs what is to be repaired
		h.on("solve", s.gates.at(h.id))
		s.stop[h.id] = h.work(s.client, s.writer, s.deploys.Limits)
	}
	return s
}

func (s *shared) post(p deployment.Project, environment string) deployment.Deployment {
	s.t.Helper()
	d, _, err := s.store.CreateDeployment(s.t.Context(), deployment.NewDeployment{Project: p, Environment: environment})
	require.NoError(s.t, err)
	require.NoError(s.t, s.deploys.Start(s.t.Context(), d, p))
	return d
}

func (s *shared) untilBuilt(d deployment.Deployment) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.gates.host(d) != "" }, eventually, tick, "its build begins")
}

// A project's second build waits while its first one runs, although a slot is free, which another project's build gets. It goes
// on however the first one ends.
func TestProjectSlots_AreFreeAgainAfterEveryEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*shared, deployment.Deployment){
		"success": func(s *shared, d deployment.Deployment) {
			s.of(d.ID) <- nil
			s.until(d, deployment.StatusReady)
		},
		"failure": func(s *shared, d deployment.Deployment) {
			s.of(d.ID) <- deployment.UserFailure("app.broken", "mend it", "it is broken")
			s.until(d, deployment.StatusFailed)
		},
		"cancel": func(s *shared, d deployment.Deployment) {
			_, err := s.store.RequestCancel(s.t.Context(), d.ID)
			require.NoError(s.t, err)
			_, err = s.deploys.Cancel(s.t.Context(), d.ID)
			require.NoError(s.t, err)
			s.until(d, deployment.StatusCanceled)
		},
		"terminate": func(s *shared, d deployment.Deployment) {
			require.NoError(s.t, s.client.TerminateWorkflow(s.t.Context(), temporal.DeployWorkflowID(d.ID), "", "test"))
			_, err := s.reconciler().Repair(s.t.Context(), temporal.ReconcileInput{})
			require.NoError(s.t, err)
			s.until(d, deployment.StatusFailed)
		},
		"the host is gone": func(s *shared, d deployment.Deployment) { // the build moves, and keeps its place
			gone := s.gates.host(d)
			s.stop[gone]()
			require.NoError(s.t, s.store.SeenHost(s.t.Context(), gone, []string{}, 0)) // nobody waits until it counts as gone
			require.Eventually(s.t, func() bool { return s.gates.host(d) != gone }, eventually, tick)
			s.of(d.ID) <- nil
			s.until(d, deployment.StatusReady)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t)
			other, err := s.store.CreateProject(t.Context(), deployment.Project{Name: "other", RepoURL: "https://git.example.com/other"}.WithDefaults())
			require.NoError(t, err)
			first := s.post(s.project, "branch/1")
			s.untilBuilt(first)
			second := s.post(s.project, "branch/2")
			require.Eventually(t, func() bool { return s.pending(second, "ClaimHost").GetAttempt() > 2 }, eventually, tick, "it asks again")
			require.Equal(t, "the project has 1 of at most 1 builds under way", s.pending(second, "ClaimHost").GetLastFailure().GetMessage())
			waiting := s.get(second)
			require.Equal(t, "the project's other builds (1 of 1 under way)", waiting.Step.WaitingFor)
			require.Equal(t, 1, waiting.Step.QueuePosition)

			others := s.post(other, "production")
			s.untilBuilt(others)
			require.Equal(t, deployment.StatusBuilding, s.get(first).Status)
			require.Equal(t, deployment.StatusQueued, s.get(second).Status)
			s.of(others.ID) <- nil
			s.until(others, deployment.StatusReady)

			s.of(second.ID) <- nil
			end(s, first)
			s.until(second, deployment.StatusReady)
		})
	}
}
