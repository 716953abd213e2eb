package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// rollBack does what POST /v1/environments/{id}/rollback does.
func (s *system) rollBack() deployment.Deployment {
	s.t.Helper()
	d, _, err := s.store.CreateDeployment(s.t.Context(), deployment.NewDeployment{
		Project: s.project, Environment: "production", Reuse: &deployment.Reuse{},
	})
	require.NoError(s.t, err)
	require.NoError(s.t, s.deploys.Start(s.t.Context(), d, s.project))
	return d
}

func TestRollback(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(0)) // which pushes
	first := s.until(s.deploy(), deployment.StatusReady)
	s.until(s.deploy(), deployment.StatusReady)

	want := map[deployment.StepName]deployment.StepStatus{"resolve": "reused", "release": "succeeded"}
	s.host.on("probe", failing(1))
	failed := s.until(s.rollBack(), deployment.StatusFailed)
	require.NoError(t, s.retry(t.Context(), failed)) // as any other deploy's
	d := s.until(failed, deployment.StatusReady)
	run, _ := s.current(d)
	s.requireLive(d, run)
	require.Equal(t, want, s.steps(d, run), "nothing is fetched, planned or built")
	require.Equal(t, first.ID, d.ReusedFrom)
	require.Equal(t, first.Commit, d.Commit)
	require.Equal(t, first.ImageDigest, d.ImageDigest)
	for _, e := range s.history(d, run) {
		require.NotEqual(t, temporal.QueueBuild, e.GetActivityTaskScheduledEventAttributes().GetTaskQueue().GetName(), "no build slot is claimed")
	}
}

func TestRollback_OfAnImageThatIsGone(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(0))
	s.until(s.deploy(), deployment.StatusReady)
	live := s.until(s.deploy(), deployment.StatusReady)
	s.host.lose()
	d := s.until(s.rollBack(), deployment.StatusFailed)
	require.Equal(t, deployment.ClassUser, d.Failure.Class)
	require.Equal(t, "image.gone", d.Failure.Code)
	require.Contains(t, d.Failure.Message, d.ImageDigest)
	require.Contains(t, d.Failure.Fix, d.Commit)
	s.requireLive(live, live.RunID)
}

// What a restore brings back runs its image again, and without that its commit is built again.
func TestBroughtBack(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.host.on("solve", failing(0))
	live := s.until(s.deploy(), deployment.StatusReady)
	bringBack := func() deployment.Deployment {
		d, _, err := s.store.CreateDeployment(t.Context(), deployment.NewDeployment{
			Project: s.project, Environment: "production", Reuse: &deployment.Reuse{From: live.ID},
		})
		require.NoError(t, err)
		_, err = s.store.Pool().Exec(t.Context(), "UPDATE environments SET live_deployment_id = NULL") // as Restore does
		require.NoError(t, err)
		require.NoError(t, s.deploys.Start(t.Context(), d, s.project))
		return s.until(d, deployment.StatusReady)
	}
	d := bringBack()
	run, _ := s.current(d)
	require.Equal(t, map[deployment.StepName]deployment.StepStatus{"resolve": "reused", "release": "succeeded"}, s.steps(d, run))
	require.Equal(t, live.ID, d.ReusedFrom)

	s.host.lose()
	d = bringBack()
	run, _ = s.current(d)
	require.Equal(t, map[deployment.StepName]deployment.StepStatus{
		"resolve": "reused", "fetch": "succeeded", "plan": "succeeded", "build": "succeeded", "release": "succeeded",
	}, s.steps(d, run))
	require.Equal(t, live.Commit, d.Commit)
	require.Empty(t, d.ReusedFrom)
	s.requireLive(d, run)
}
