package activities_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// made says which step makes things, the point before each is made and the one after, and what must be there once.
type made struct {
	step   deployment.StepName
	points func(*bench) *points
	before string
	after  string
	do     func(workflow.Context, *bench, deployment.Deployment) (any, error)
	check  func(*bench, deployment.Deployment)
}

func makers() map[string]made {
	return map[string]made{
		"workspace": {
			step: deployment.StepFetch, points: func(b *bench) *points { return &b.git.points }, before: "before fetch", after: "after fetch",
			do: func(ctx workflow.Context, b *bench, d deployment.Deployment) (any, error) {
				return call[none](ctx, b, b.source.FetchSource, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit})
			},
			check: func(b *bench, d deployment.Deployment) {
				require.Equal(b.t, []string{d.ID}, b.owned(d, deployment.ResourceWorkspace))
				checkout, err := b.workspaces.Open(d.ID, b.commit)
				require.NoError(b.t, err)
				require.FileExists(b.t, filepath.Join(checkout, "index.html"))
				entries, err := os.ReadDir(filepath.Dir(checkout))
				require.NoError(b.t, err)
				require.Len(b.t, entries, 2, "the checkout and its marker, nothing of the attempts")
			},
		},
		"image": {
			step: deployment.StepBuild, points: func(b *bench) *points { return &b.builder.points }, before: "before push", after: "after push",
			do: func(ctx workflow.Context, b *bench, d deployment.Deployment) (any, error) {
				return call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
			},
			check: func(b *bench, d deployment.Deployment) {
				require.Equal(b.t, digestOf("app"), b.get(d).ImageDigest)
				require.Subset(b.t, b.owned(d, deployment.ResourceImageTag), b.shelf.tags())
			},
		},
		"container": {
			step: deployment.StepRelease, points: func(b *bench) *points { return &b.engine.points }, before: "before start", after: "after start",
			do: func(ctx workflow.Context, b *bench, d deployment.Deployment) (any, error) {
				return call[temporal.ReleaseResult](ctx, b, b.preview.ReleasePreview, b.releaseInput(d))
			},
			check: func(b *bench, d deployment.Deployment) {
				require.Equal(b.t, deployment.StatusReady, b.get(d).Status)
				require.Len(b.t, b.engine.running(), 1)
				require.Equal(b.t, b.engine.running(), b.owned(d, deployment.ResourceContainer))
				live, err := b.store.LivePreviews(b.t.Context(), hostID)
				require.NoError(b.t, err)
				require.Len(b.t, live, 1)
				require.Equal(b.t, deployment.PreviewLive, live[0].State)
			},
		},
	}
}

// An attempt that dies between the row and the thing, or between the thing and its answer, is repeated by one that ends
// with the same result and one thing.
func TestStep_DeathAndRepeat(t *testing.T) {
	t.Parallel()
	for name, m := range makers() {
		for _, point := range []string{m.before, m.after} {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				d := b.deploy()
				m.points(b).on(point, once(die))
				var first, again any
				require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
					if err := b.upTo(ctx, d, m.step); err != nil {
						return err
					}
					if first, err = m.do(ctx, b, d); err != nil {
						return err
					}
					m.check(b, d)
					again, err = m.do(ctx, b, d)
					return err
				}))
				m.check(b, d)
				if build, ok := again.(temporal.BuildResult); ok {
					require.True(t, build.Reused)
					build.Reused = first.(temporal.BuildResult).Reused
					again = build
				}
				require.Equal(t, first, again)
			})
		}
	}
}

// An attempt that the server has given up, but that still runs, does no harm when it goes on later.
func TestStep_AbandonedAttemptGoesOn(t *testing.T) {
	t.Parallel()
	for name, m := range makers() {
		for _, point := range []string{m.before, m.after} {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.silence = brief
				d := b.deploy()
				goOn := make(chan struct{})
				m.points(b).on(point, once(func(ctx context.Context) error {
					b.beats.silence(ctx)
					<-goOn
					return nil
				}))
				run := b.start(d, func(ctx workflow.Context) error {
					if err := b.upTo(ctx, d, m.step); err != nil {
						return err
					}
					_, err := m.do(ctx, b, d)
					return err
				})
				require.NoError(t, run.Get(t.Context(), nil))
				before := statuses(b.steps(d, m.step))
				close(goOn)
				b.untilNobodyIsAtWork(d)
				m.check(b, d)
				require.Equal(t, before, statuses(b.steps(d, m.step)), "the late word of a lost attempt changes nothing")
				require.Contains(t, before, deployment.StepLost)
			})
		}
	}
}

func TestStep_TwiceAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, m := range makers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.deploy()
			var arrived atomic.Int32
			both := make(chan struct{})
			meet := func(context.Context) error {
				if arrived.Add(1) == 2 { // a third is the attempt after one that a slow machine took for dead
					close(both)
				}
				<-both
				return nil
			}
			m.points(b).on(m.before, meet)
			require.NoError(t, b.run(d, func(ctx workflow.Context) error {
				if err := b.upTo(ctx, d, m.step); err != nil {
					return err
				}
				var errs [2]error
				wait := workflow.NewWaitGroup(ctx)
				for i := range errs {
					wait.Add(1)
					workflow.Go(ctx, func(ctx workflow.Context) {
						defer wait.Done()
						_, errs[i] = m.do(ctx, b, d)
					})
				}
				wait.Wait(ctx)
				if errs[0] != nil {
					return errs[0]
				}
				return errs[1]
			}))
			m.check(b, d)
		})
	}
}

func TestResolveRef_TwiceAtTheSameTimeAnswersOneCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy()
	other := "0123456789abcdef0123456789abcdef01234567"
	b.git.on("after resolve", once(func(ctx context.Context) error { // the branch moves meanwhile, and another was quicker
		return b.store.SetCommit(ctx, d.ID, b.get(d).RunID, other, "main")
	}))
	var result temporal.ResolveResult
	require.NoError(t, b.run(d, func(ctx workflow.Context) (err error) {
		result, err = call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, temporal.StepInput{DeploymentID: d.ID})
		return err
	}))
	require.Equal(t, other, result.Commit)
	require.Equal(t, other, b.get(d).Commit)
}
