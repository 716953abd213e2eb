package temporal

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// RetryRows are what the second half of a retry needs of the store.
type RetryRows interface {
	Project(ctx context.Context, idOrName string) (deployment.Project, error)
	// MakeRetry lets reset make the run of a retry that has none yet, one caller at a time, and stores its id.
	MakeRetry(ctx context.Context, deploymentID string, reset func(ctx context.Context, runID string) (string, error)) error
}

// Retrier makes a new run of a deployment's workflow and returns its id, as Deploys does.
type Retrier interface {
	Retry(ctx context.Context, d deployment.Deployment, p deployment.Project) (runID string, err error)
}

// MakeRetry makes the run of a retry whose first half stands in the row alone: right after the API has written it or, when that
// did not come to it, from the reconciler.
func MakeRetry(ctx context.Context, rows RetryRows, runs Retrier, d deployment.Deployment) error {
	p, err := rows.Project(ctx, d.ProjectID)
	if err != nil {
		return err
	}
	return rows.MakeRetry(ctx, d.ID, func(ctx context.Context, runID string) (string, error) {
		d.RunID = runID
		return runs.Retry(ctx, d, p)
	})
}
