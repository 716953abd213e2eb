package temporal_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

func TestMain(m *testing.M) { devservertest.Main(m) }

// Nobody works on the queues here: what is looked at is what was asked of the server.
func newDeploys(t *testing.T) *temporal.Deploys {
	t.Helper()
	return &temporal.Deploys{Client: devservertest.Client(t), Limits: temporal.DefaultLimits()}
}

func app() deployment.Project {
	p := deployment.Project{ID: "0198c5a0-0000-7000-8000-00000000000a", Name: "app", RepoURL: "https://git.example.com/app"}.WithDefaults()
	p.BuildTimeoutSeconds, p.HealthCheck.TimeoutSeconds, p.ReleaseTimeoutSeconds = 77, 33, 44
	return p
}

func queued() deployment.Deployment {
	return deployment.Deployment{
		ID: "0198c5a0-0000-7000-8000-000000000001", Number: 7, Environment: "production", Status: deployment.StatusQueued,
		Ref: deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
	}
}

func describe(t *testing.T, s *temporal.Deploys, id string) *workflowservice.DescribeWorkflowExecutionResponse {
	t.Helper()
	description, err := s.Client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	return description
}

func TestDeploys_StartTwiceMakesOneWorkflow(t *testing.T) {
	t.Parallel()
	s, d := newDeploys(t), queued()
	id := temporal.DeployWorkflowID(d.ID)
	require.NoError(t, s.Start(t.Context(), d, app()))
	run := describe(t, s, id).GetWorkflowExecutionInfo().GetExecution().GetRunId()
	require.NoError(t, s.Start(t.Context(), d, app()), "open")
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), id, run, "test"))
	require.NoError(t, s.Start(t.Context(), d, app()), "closed")
	require.Equal(t, run, describe(t, s, id).GetWorkflowExecutionInfo().GetExecution().GetRunId())
}

func TestDeploys_StartSaysWhatItIsAndHowLongItMayTake(t *testing.T) {
	t.Parallel()
	s, d := newDeploys(t), queued()
	require.NoError(t, s.Start(t.Context(), d, app()))
	id := temporal.DeployWorkflowID(d.ID)
	described, err := s.Client.DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	attributes := described.TypedSearchAttributes
	for key, want := range map[string]string{"project": "app", "environment": "production", "status": "queued"} {
		var got string
		switch key {
		case "project":
			got, _ = attributes.GetKeyword(temporal.AttrProject)
		case "environment":
			got, _ = attributes.GetKeyword(temporal.AttrEnvironment)
		case "status":
			got, _ = attributes.GetKeyword(temporal.AttrStatus)
		}
		require.Equal(t, want, got, key)
	}
	require.Equal(t, temporal.QueueControl, described.TaskQueueName)

	in := startedWith(t, s.Client, id)
	want := temporal.DefaultLimits()
	want.Build = 77 * time.Second
	want.Release += (33 + 44) * time.Second
	require.Equal(t, temporal.DeployInput{
		DeploymentID: d.ID, Project: "app", Environment: "production", Limits: want,
		Repository: "https://git.example.com/app", Ref: "branch main", Number: 7,
	}, in)
	require.Equal(t, temporal.DefaultLimits(), s.Limits, "one project's limits are no other's")
}

func startedWith(t *testing.T, client sdkclient.Client, id string) (in temporal.DeployInput) {
	t.Helper()
	event, err := client.GetWorkflowHistory(t.Context(), id, "", false, 1).Next()
	require.NoError(t, err)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(event.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in))
	return in
}

func TestDeploys_Cancel(t *testing.T) {
	t.Parallel()
	s, d := newDeploys(t), queued()
	found, err := s.Cancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.False(t, found, "never started")

	require.NoError(t, s.Start(t.Context(), d, app()))
	for range 2 {
		found, err = s.Cancel(t.Context(), d.ID)
		require.NoError(t, err)
		require.True(t, found)
	}
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), temporal.DeployWorkflowID(d.ID), "", "test"))
	found, err = s.Cancel(t.Context(), d.ID)
	require.NoError(t, err)
	require.False(t, found, "closed")
}

func TestDeploys_TeardownMayBeRepeated(t *testing.T) {
	t.Parallel()
	s := newDeploys(t)
	id := temporal.TeardownWorkflowID(app().ID)
	deletion := deployment.Deletion{Scope: deployment.Scope{ProjectID: app().ID}, ProjectName: app().Name, Name: app().Name}
	require.NoError(t, s.Teardown(t.Context(), deletion))
	run := describe(t, s, id).GetWorkflowExecutionInfo().GetExecution().GetRunId()
	require.NoError(t, s.Teardown(t.Context(), deletion))
	require.Equal(t, run, describe(t, s, id).GetWorkflowExecutionInfo().GetExecution().GetRunId())
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), id, "", "test"))
	require.NoError(t, s.Teardown(t.Context(), deletion))
	require.NotEqual(t, run, describe(t, s, id).GetWorkflowExecutionInfo().GetExecution().GetRunId(), "one that failed is begun again")
}

func TestDeploys_Unreachable(t *testing.T) {
	t.Parallel()
	s := newDeploys(t)
	require.NoError(t, s.Ping(t.Context()))
	client, err := sdkclient.NewLazyClient(sdkclient.Options{HostPort: "127.0.0.1:1"})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	away := &temporal.Deploys{Client: client}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, away.Ping(ctx), "temporal: ")
	require.ErrorContains(t, away.Start(ctx, queued(), app()), "start workflow deploy/"+queued().ID)
	_, err = away.Cancel(ctx, queued().ID)
	require.ErrorContains(t, err, "cancel workflow deploy/"+queued().ID)
}
