package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
)

// What the migration of a newer release adds, in every table that a deploy writes: a column that an old process does not
// fill, a table, an index, and a rule that only new rows are held to.
const expansion = `
ALTER TABLE projects ADD COLUMN later text NOT NULL DEFAULT '';
ALTER TABLE environments ADD COLUMN later jsonb;
ALTER TABLE deployments ADD COLUMN later integer NOT NULL DEFAULT 0;
ALTER TABLE steps ADD COLUMN later timestamptz;
ALTER TABLE resources ADD COLUMN later text;
ALTER TABLE previews ADD COLUMN later text;
ALTER TABLE deployments ADD CONSTRAINT later_is_not_negative CHECK (later >= 0) NOT VALID;
CREATE TABLE later (id uuid PRIMARY KEY, deployment_id uuid REFERENCES deployments);
CREATE INDEX ON steps (later);
UPDATE schema_version SET version = version + 1;`

// The database is migrated under processes that run: deploys under way end, and new ones are taken.
func TestUpgrade_AProcessGoesOnWithTheSchemaOfANewerRelease(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	solving, goOn := make(chan struct{}), make(chan struct{})
	s.host.on("solve", func(ctx context.Context) error {
		solving <- struct{}{}
		<-goOn
		return ctx.Err()
	})
	s.host.work(s.client, s.writer, s.deploys.Limits)
	underWay := s.deploy()
	<-solving
	_, err := s.store.Pool().Exec(t.Context(), expansion)
	require.NoError(t, err)
	close(goOn)
	s.until(underWay, deployment.StatusReady)

	s.host.on("solve", func(context.Context) error { return nil })
	s.until(s.deploy(), deployment.StatusReady)
	require.NoError(t, s.store.Schema(t.Context()), "it is ready")
	require.ErrorIs(t, postgres.CheckSchema(t.Context(), s.store.Pool()), postgres.ErrNewerSchema, "one that starts now is refused")
}

// A worker that is told to stop lets a step that ends in time end, and claims nothing more; its successor goes on after it.
func TestUpgrade_AWorkerThatStopsFinishesItsStep(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.host.stopping = time.Minute
	solving := make(chan struct{}, 1)
	s.host.on("solve", func(ctx context.Context) error {
		solving <- struct{}{}
		<-activity.GetWorkerStopChannel(ctx)
		return ctx.Err()
	})
	stop := s.host.work(s.client, s.writer, s.deploys.Limits)
	d := s.deploy()
	<-solving
	waiting, _, err := s.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: s.project, Environment: "branch/waiting"})
	require.NoError(t, err)
	require.NoError(t, s.deploys.Start(t.Context(), waiting, s.project))
	stop()
	built := s.buildSteps(d)
	require.Len(t, built, 1)
	require.Equal(t, deployment.StepSucceeded, built[0].Status)
	require.Empty(t, s.buildSteps(waiting))

	s.host.on("solve", func(context.Context) error { return nil })
	s.host.work(s.client, s.writer, s.deploys.Limits)
	s.until(d, deployment.StatusReady)
	require.Len(t, s.buildSteps(d), 1, "what was built is not built again")
	s.until(waiting, deployment.StatusReady)
}

// buildSteps are the attempts at the build of a deployment.
func (s *system) buildSteps(d deployment.Deployment) (built []deployment.Step) {
	s.t.Helper()
	steps, err := s.store.Steps(s.t.Context(), d.ID)
	require.NoError(s.t, err)
	for _, step := range steps {
		if step.Name == deployment.StepBuild {
			built = append(built, step)
		}
	}
	return built
}
