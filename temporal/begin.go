package temporal

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Starter begins workflows of deployments, as Deploys does.
type Starter interface {
	Start(ctx context.Context, d deployment.Deployment, p deployment.Project) error
	Retrier
}

// Begin begins a deployment that is due: it starts its workflow or, for a retry, makes the next run. It may be called by
// several at the same time.
func Begin(ctx context.Context, rows RetryRows, runs Starter, d deployment.Deployment) error {
	if d.RetryRequestedAt != nil {
		return MakeRetry(ctx, rows, runs, d)
	}
	p, err := rows.Project(ctx, d.ProjectID)
	if err != nil {
		return err
	}
	return runs.Start(ctx, d, p)
}
