package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// built is a new deployment that has built an image under a tag of its own.
func (b bench) built(p deployment.Project, environment, digest string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(p, environment)
	b.through(d, "run", deployment.StepBuild)
	require.NoError(b.t, b.Own(b.t.Context(), deployment.Resource{Kind: deployment.ResourceImageTag, Name: "r/" + p.Name + ":" + d.ID, DeploymentID: d.ID, RunID: "run"}))
	require.NoError(b.t, b.SetImage(b.t.Context(), d.ID, "run", deployment.BuiltImage{Image: p.Name, Digest: digest, Input: "input"}))
	return d
}

// shown is one that has been live, too.
func (b bench) shown(p deployment.Project, environment, digest string) deployment.Deployment {
	b.t.Helper()
	d := b.built(p, environment, digest)
	require.NoError(b.t, b.StepStarted(b.t.Context(), attempt(d, "run", deployment.StepRelease), time.Now()))
	replaced, err := b.SwitchRoute(b.t.Context(), "run", preview(d))
	require.NoError(b.t, err)
	for _, old := range replaced {
		require.NoError(b.t, b.SetPreviewState(b.t.Context(), old.DeploymentID, deployment.PreviewStopped))
	}
	return d
}

// going reads the deployments whose tags are to be deleted.
func (b bench) going() (ids []string) {
	b.t.Helper()
	tags, err := b.GivenUpTags(context.Background(), 1000)
	require.NoError(b.t, err)
	for _, tag := range tags {
		ids = append(ids, tag.DeploymentID)
	}
	return ids
}

func (b bench) reuse(p deployment.Project, environment, from string) (deployment.Deployment, error) {
	d, _, err := b.CreateDeployment(b.t.Context(), deployment.NewDeployment{Project: p, Environment: environment, Reuse: &deployment.Reuse{From: from}})
	return d, err
}

func TestExpireImages_KeepsTheLastOfEachEnvironment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, other := b.project("app"), b.project("other")
	oldest := b.shown(p, "production", "sha256:1")
	b.shown(p, "production", "sha256:2")
	same := b.shown(p, "production", "sha256:2")
	b.shown(p, "production", "sha256:3")
	branch := b.shown(p, "branch/a", "sha256:4")
	b.shown(other, "production", "sha256:1") // the same image in another repository is another one

	for range 2 {
		tags, err := b.ExpireImages(t.Context(), 2, time.Hour)
		require.NoError(t, err)
		require.Equal(t, []string{oldest.ID}, b.going())
		require.LessOrEqual(t, tags, 1)
	}
	require.NotNil(t, b.get(oldest.ID).ImageRemovedAt)
	require.Nil(t, b.get(same.ID).ImageRemovedAt, "two deployments of one image are one image")

	_, err := b.reuse(p, "production", oldest.ID)
	require.ErrorIs(t, err, deployment.ErrImageRemoved)
	_, err = b.reuse(p, "production", same.ID)
	require.NoError(t, err)
	_, err = b.ExpireImages(t.Context(), 1, time.Hour)
	require.NoError(t, err)
	require.NotContains(t, b.going(), same.ID, "a rollback under way needs it")
	require.NotContains(t, b.going(), branch.ID)
}

func TestExpireImages_OfWhatDidNotBecomeReady(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	live := b.shown(p, "production", "sha256:1")
	failed := b.built(p, "branch/failed", "sha256:2")
	b.finish(failed, "run", deployment.StatusFailed)
	unbuilt := b.deploy(p, "branch/unbuilt")
	require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceImageTag, Name: "r/app:late", DeploymentID: unbuilt.ID, RunID: "run"}))
	b.finish(unbuilt, "", deployment.StatusFailed)
	underWay := b.built(p, "branch/under-way", "sha256:3")

	_, err := b.ExpireImages(t.Context(), 1, time.Hour)
	require.NoError(t, err)
	require.Empty(t, b.going(), "they may be retried")
	b.exec("UPDATE deployments SET finished_at = finished_at - interval '2 hours' WHERE finished_at IS NOT NULL")
	_, err = b.ExpireImages(t.Context(), 1, time.Hour)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{failed.ID, unbuilt.ID}, b.going())
	require.Nil(t, b.get(live.ID).ImageRemovedAt)

	// A retry of one builds anew, under a tag of its own, and has an image again.
	require.NoError(t, b.begin(failed, "again"))
	require.NotNil(t, b.get(failed.ID).ImageRemovedAt)
	require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceImageTag, Name: "r/app:again", DeploymentID: failed.ID, RunID: "again"}))
	require.NoError(t, b.SetImage(t.Context(), failed.ID, "again", deployment.BuiltImage{Image: "app", Digest: "sha256:2", Input: "input"}))
	require.Nil(t, b.get(failed.ID).ImageRemovedAt)
	_, err = b.ExpireImages(t.Context(), 1, time.Hour)
	require.NoError(t, err)
	tags, err := b.GivenUpTags(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, tags, 2, "the new tag stays")
	require.Nil(t, b.get(underWay.ID).ImageRemovedAt)
}

// Whichever comes first: a rollback that was accepted has its image, one that comes too late is told so.
func TestExpireImages_AgainstRollbacksAndRetries(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 15 {
		p := b.project(fmt.Sprintf("app-%d", i))
		old := b.shown(p, "production", "sha256:old")
		failed := b.built(p, "branch/a", "sha256:failed")
		b.finish(failed, "run", deployment.StatusFailed)
		b.exec("UPDATE deployments SET finished_at = finished_at - interval '2 hours' WHERE id = $1", failed.ID)
		b.shown(p, "production", "sha256:new")
		var rollback, retry error
		var wait sync.WaitGroup
		wait.Go(func() { _, rollback = b.reuse(p, "production", old.ID) })
		wait.Go(func() { _, retry = b.RequestRetry(t.Context(), failed.ID, 0) })
		_, err := b.ExpireImages(t.Context(), 1, time.Hour)
		wait.Wait()
		require.NoError(t, err)
		require.NoError(t, retry)
		_, err = b.ExpireImages(t.Context(), 1, time.Hour)
		require.NoError(t, err)
		require.True(t, rollback == nil || errors.Is(rollback, deployment.ErrImageRemoved), "%v", rollback)
		going := b.going()
		if rollback == nil {
			require.NotContains(t, going, old.ID)
			require.Nil(t, b.get(old.ID).ImageRemovedAt)
		} else {
			require.Contains(t, going, old.ID)
		}
		if b.get(failed.ID).ImageRemovedAt == nil {
			require.NotContains(t, going, failed.ID, "its retry uses the image that it has")
		}
	}
}

// What was promoted outlives the environment that it was built for.
func TestPassTagsOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	promoted := b.shown(p, "branch/a", "sha256:1")
	unwanted := b.shown(p, "branch/a", "sha256:2")
	d, err := b.reuse(p, "production", promoted.ID)
	require.NoError(t, err)
	b.remove(promoted.Scope())
	for range 2 {
		require.NoError(t, b.PassTagsOn(t.Context(), promoted.Scope()))
	}
	left, err := b.OwnedIn(t.Context(), promoted.Scope(), "", deployment.ResourceImageTag)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, unwanted.ID, left[0].DeploymentID)
	passed, err := b.Owned(t.Context(), d.ID, "", deployment.ResourceImageTag)
	require.NoError(t, err)
	require.Equal(t, "r/app:"+promoted.ID, passed[0].Name)

	b.remove(of(p))
	require.NoError(t, b.PassTagsOn(t.Context(), d.Scope()), "nobody is left to need them")
	_, err = b.ExpireImages(t.Context(), 1, 0)
	require.NoError(t, err)
	require.Empty(t, b.going(), "its teardown deletes them")
}
