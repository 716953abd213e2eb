package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Gone removes the row of a thing that was looked for and not found and, when its deployment is being canceled, writes the
// thing into the receipt. A clean-up that is repeated finds no row and writes no second line.
func (s *Store) Gone(ctx context.Context, r deployment.Resource, took time.Duration) error {
	return at(s.q.Gone(ctx, db.GoneParams{
		DeploymentID: r.DeploymentID, RunID: r.RunID, Kind: string(r.Kind), Name: r.Name, Host: r.Host, TookMs: took.Milliseconds(),
	}), "give up %s %s on host %q", r.Kind, r.Name, r.Host)
}

// SolveEnded writes a build that was ended into the receipt. The build hears of a cancel before the deployment's row may.
func (s *Store) SolveEnded(ctx context.Context, a deployment.StepAttempt, ref string, took time.Duration) error {
	return at(s.q.AddReceipt(ctx, db.AddReceiptParams{
		DeploymentID: a.DeploymentID, RunID: a.RunID, Kind: string(deployment.UndoneSolve), Name: ref, Host: a.Host, TookMs: took.Milliseconds(),
	}), "record the end of solve %s", ref)
}

// Receipt lists what the cancels of a deployment undid, in the order in which it was seen to be gone.
func (s *Store) Receipt(ctx context.Context, deploymentID string) (deployment.Receipt, error) {
	if !isID(deploymentID) {
		return nil, at(deployment.ErrNotFound, "receipt of deployment %q", deploymentID)
	}
	rows, err := s.q.Receipt(ctx, deploymentID)
	if err != nil {
		return nil, at(err, "receipt of deployment %s", deploymentID)
	}
	receipt := make(deployment.Receipt, len(rows))
	for i, r := range rows {
		receipt[i] = deployment.Undone{
			Kind: deployment.ResourceKind(r.Kind), Name: r.Name, Host: r.Host, RunID: r.RunID, TookMS: r.TookMs, GoneAt: r.GoneAt.UTC(),
		}
	}
	return receipt, nil
}
