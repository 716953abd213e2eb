package activities_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/temporal"
)

// The disk of a build host is full while a commit is fetched, and somebody makes room before the next attempt.
func TestFetch_WaitsForRoomOnAFullDisk(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	commit := gitservetest.Commit(t, b.repo, "main", map[string]string{"big.bin": strings.Repeat("0123456789abcdef", 16<<10)})
	require.NoError(t, os.MkdirAll(b.workspaces.Root, 0o700))
	require.NoError(t, syscall.Mount("tmpfs", b.workspaces.Root, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(b.workspaces.Root, syscall.MNT_DETACH)) })
	filler := filepath.Join(b.workspaces.Root, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 900<<10), 0o600))
	d := b.deploy()
	b.git.on("before fetch", func(context.Context) error {
		if now := b.get(d); now.Step != nil && now.Step.Attempt > 1 {
			return os.RemoveAll(filler)
		}
		return nil
	})
	waiting := b.lookOn()
	require.NoError(t, b.run(d, func(ctx workflow.Context) error {
		if err := b.upTo(ctx, d, deployment.StepFetch); err != nil {
			return err
		}
		ctx = workflow.WithRetryPolicy(b.options(ctx), sdktemporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1, MaximumAttempts: 2})
		return workflow.ExecuteActivity(ctx, b.source.FetchSource, temporal.CommitInput{DeploymentID: d.ID, Commit: commit}).Get(ctx, nil)
	}))
	require.Equal(t, "disk space on the host", (<-waiting).Step.WaitingFor)
	steps := b.steps(d, deployment.StepFetch)
	require.Equal(t, []deployment.StepStatus{deployment.StepFailed, deployment.StepSucceeded}, statuses(steps))
	failure := steps[0].Failure
	require.Equal(t, "host.disk_full", failure.Code)
	require.Equal(t, deployment.ClassPlatform, failure.Class)
	require.Equal(t, deployment.ComponentDisk, failure.Component)
	require.Contains(t, failure.Message, "the host's disk is full: ")
	require.Contains(t, failure.Message, "no space left on device")
	require.Contains(t, failure.Fix, "SLIPWAY_WORKSPACE_DIR")
}
