package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// teardownPause is the longest pause between two tries of a teardown: how late the return of a host may be noticed.
const teardownPause = time.Minute

// Deploys starts, retries and cancels deploy workflows. The API holds one; a worker another.
type Deploys struct {
	Client    sdkclient.Client
	Namespace string // of Client, which does not tell; a reset has to name it
	Limits    Limits // of every deploy; the project's own build and health time-outs replace two of them
}

// Start starts the workflow of a queued deployment. A workflow that exists already, open or closed, is what was wanted:
// starting twice is no error and never makes a second one.
func (s *Deploys) Start(ctx context.Context, d deployment.Deployment, p deployment.Project) error {
	_, err := s.start(ctx, d, p, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE)
	if sdktemporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return nil
	}
	return err
}

// start starts a run. The policy says whether there may be another although one has closed.
func (s *Deploys) start(ctx context.Context, d deployment.Deployment, p deployment.Project, closed enumspb.WorkflowIdReusePolicy) (runID string, err error) {
	options := sdkclient.StartWorkflowOptions{
		ID:                                       DeployWorkflowID(d.ID),
		TaskQueue:                                QueueControl,
		WorkflowIDReusePolicy:                    closed,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(
			AttrProject.ValueSet(p.Name), AttrEnvironment.ValueSet(d.Environment), AttrStatus.ValueSet(string(d.Status))),
		StaticSummary: fmt.Sprintf("%s #%d to %s", p.Name, d.Number, d.Environment),
		StaticDetails: fmt.Sprintf("Repository `%s`, %s. Its log: `slipway logs %s`. A cancel here is the same as `slipway cancel %s`.",
			p.RepoURL, d.Ref, d.ID, d.ID),
		Memo: map[string]any{
			"project": p.Name, "environment": d.Environment, "repository": p.RepoURL, "ref": d.Ref.String(), "number": d.Number,
		},
	}
	run, err := s.Client.ExecuteWorkflow(ctx, options, WorkflowDeploy, DeployInput{
		DeploymentID: d.ID, Project: p.Name, Environment: d.Environment, Limits: s.limits(p),
		Repository: p.RepoURL, Ref: d.Ref.String(), Number: d.Number,
	})
	if err != nil {
		return "", at(err, "start workflow %s", options.ID)
	}
	return run.GetRunID(), nil
}

func (s *Deploys) limits(p deployment.Project) Limits {
	limits := s.Limits
	limits.Build = time.Duration(p.BuildTimeoutSeconds) * time.Second
	limits.Release += time.Duration(p.HealthCheck.TimeoutSeconds+p.ReleaseTimeoutSeconds) * time.Second
	return limits
}

// Cancel asks a deployment's workflow to cancel. found is false when there is no open workflow to ask.
func (s *Deploys) Cancel(ctx context.Context, deploymentID string) (found bool, err error) {
	// The server takes a cancel of a closed workflow without a word, so it is asked first.
	_, open, err := s.CurrentRun(ctx, deploymentID)
	if err == nil && open {
		err = s.Client.CancelWorkflow(ctx, DeployWorkflowID(deploymentID), "")
	}
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return false, nil
	}
	if err != nil {
		return false, at(err, "cancel workflow %s", DeployWorkflowID(deploymentID))
	}
	return open, nil
}

// Teardown starts the workflow that removes everything a deleted project or environment owns; one that runs already is
// enough. One that fails, since a host is gone or Docker does not answer, is begun again by Temporal, ever more slowly.
func (s *Deploys) Teardown(ctx context.Context, d deployment.Deletion) error {
	options := sdkclient.StartWorkflowOptions{
		ID: TeardownWorkflowID(d.ID()), TaskQueue: QueueControl,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		RetryPolicy: &sdktemporal.RetryPolicy{
			InitialInterval: s.Limits.RetryInitial, BackoffCoefficient: 2, MaximumInterval: teardownPause,
		},
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(AttrProject.ValueSet(d.ProjectName)),
		StaticSummary:         "delete project " + d.ProjectName,
	}
	if d.EnvironmentID != "" {
		options.TypedSearchAttributes = sdktemporal.NewSearchAttributes(
			AttrProject.ValueSet(d.ProjectName), AttrEnvironment.ValueSet(d.Name))
		options.StaticSummary = fmt.Sprintf("delete environment %s of %s", d.Name, d.ProjectName)
	}
	_, err := s.Client.ExecuteWorkflow(ctx, options, WorkflowTeardown, TeardownInput{
		ProjectID: d.ProjectID, EnvironmentID: d.EnvironmentID, Limits: s.Limits,
	})
	if err != nil && !sdktemporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return at(err, "start workflow %s", options.ID)
	}
	return nil
}

// Ping reports whether the Temporal frontend answers.
func (s *Deploys) Ping(ctx context.Context) error {
	_, err := s.Client.CheckHealth(ctx, &sdkclient.CheckHealthRequest{})
	return at(err, "temporal")
}
