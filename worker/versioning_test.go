package worker_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/shlex"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/testbed"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// Two builds of the worker run beside each other: what is under way ends on the build that began it, what begins after the
// new one was made the current one runs there.
func TestVersioning_ADeployEndsOnTheBuildThatBeganIt(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.host.build = "one"
	solving, goOn := make(chan struct{}), make(chan struct{})
	s.host.on("solve", func(ctx context.Context) error {
		select {
		case solving <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	s.host.work(s.client, s.writer, s.deploys.Limits)
	s.makeCurrent("one")
	old := s.deploy()
	<-solving

	next := &host{id: "b", build: "two", store: s.store, t: t, namespace: s.host.namespace}
	next.on("solve", func(context.Context) error { return nil })
	next.work(s.client, s.writer, s.deploys.Limits)
	s.makeCurrent("two")
	d, _, err := s.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: s.project, Environment: "branch/new"})
	require.NoError(t, err)
	require.NoError(t, s.deploys.Start(t.Context(), d, s.project))
	s.until(d, deployment.StatusReady)
	require.Equal(t, "two", s.buildOf(d))

	close(goOn)
	s.until(old, deployment.StatusReady)
	require.Equal(t, "one", s.buildOf(old))
}

// On one machine the new build takes the host over, and the old one stays for its workflows alone.
func TestVersioning_AnOldBuildStaysForItsWorkflowsAlone(t *testing.T) {
	t.Parallel()
	s := newIdleSystem(t)
	s.host.build = "one"
	solving := make(chan struct{}, 1)
	s.host.on("solve", func(ctx context.Context) error {
		solving <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	stop := s.host.work(s.client, s.writer, s.deploys.Limits)
	s.makeCurrent("one")
	old := s.deploy()
	<-solving

	rest := &host{id: "a", build: "one", controlOnly: true, store: s.store, t: t, namespace: s.host.namespace}
	rest.work(s.client, s.writer, s.deploys.Limits)
	stop()
	next := &host{id: "a", build: "two", store: s.store, t: t, namespace: s.host.namespace}
	listed := make(chan struct{})
	next.on("solve", func(ctx context.Context) error {
		select {
		case <-listed:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	next.work(s.client, s.writer, s.deploys.Limits)
	s.makeCurrent("two")
	require.Eventually(t, func() bool { // Temporal lists a moment later what it knows
		under, err := s.operate(`temporal workflow list --query "TemporalWorkerDeploymentVersion='slipway:1.4.0' AND ExecutionStatus='Running'"`, "one")
		require.NoError(t, err, under)
		return strings.Contains(under, old.ID)
	}, eventually, tick)
	close(listed)
	s.until(old, deployment.StatusReady)
	require.Equal(t, "one", s.buildOf(old))
	state, err := s.operate("temporal worker deployment describe-version --deployment-name slipway --build-id 1.4.0", "one")
	require.NoError(t, err, state)
	require.Regexp(t, "(?i)drain(ing|ed)", state)
	built := s.buildSteps(old)
	require.Equal(t, "worker.shutdown", built[0].Failure.Code, "it was handed over, since it did not end in time")
	require.Equal(t, deployment.ComponentWorker, built[0].Failure.Component)
	require.Len(t, next.running(), 1, "the new worker of the host has done the work")
}

// makeCurrent makes a build the one that new workflows go to, as an operator does, once its worker has been seen.
func (s *system) makeCurrent(build string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		_, err := s.operate("temporal worker deployment set-current-version --deployment-name slipway --build-id 1.4.0 --yes", build)
		return err == nil
	}, eventually, tick)
}

// operate runs a command of docs/operators.md for another build with the real temporal, as an operator would.
func (s *system) operate(command, build string) (string, error) {
	s.t.Helper()
	page, err := os.ReadFile("../docs/operators.md")
	require.NoError(s.t, err)
	require.Contains(s.t, string(page), command)
	words, err := shlex.Split(strings.ReplaceAll(command, "1.4.0", build))
	require.NoError(s.t, err)
	program, err := testbed.Tool("temporal", words[0])
	require.NoError(s.t, err)
	run := exec.CommandContext(s.t.Context(), program, append(words[1:], "--namespace", s.host.namespace)...)
	run.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+devservertest.Start(s.t), "HOME="+s.t.TempDir()) // no settings of its user
	out, err := run.CombinedOutput()
	return string(out), err
}

// buildOf tells which build a deploy's workflow is held to.
func (s *system) buildOf(d deployment.Deployment) string {
	s.t.Helper()
	described, err := s.client.DescribeWorkflowExecution(s.t.Context(), temporal.DeployWorkflowID(d.ID), "")
	require.NoError(s.t, err)
	version := described.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion()
	require.Equal(s.t, temporal.WorkerDeployment, version.GetDeploymentName())
	return version.GetBuildId()
}
