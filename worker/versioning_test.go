package worker_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
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
	next.on("solve", func(context.Context) error { return nil })
	next.work(s.client, s.writer, s.deploys.Limits)
	s.makeCurrent("two")
	s.until(old, deployment.StatusReady)
	require.Equal(t, "one", s.buildOf(old))
	built := s.buildSteps(old)
	require.Equal(t, "worker.shutdown", built[0].Failure.Code, "it was handed over, since it did not end in time")
	require.Equal(t, deployment.ComponentWorker, built[0].Failure.Component)
	require.Len(t, next.running(), 1, "the new worker of the host has done the work")
}

// makeCurrent makes a build the one that new workflows go to, as an operator does, once its worker has been seen.
func (s *system) makeCurrent(build string) {
	s.t.Helper()
	handle := s.client.WorkerDeploymentClient().GetHandle(temporal.WorkerDeployment)
	require.Eventually(s.t, func() bool {
		_, err := handle.SetCurrentVersion(s.t.Context(), sdkclient.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
		return err == nil
	}, eventually, tick)
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
