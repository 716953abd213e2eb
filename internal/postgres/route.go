package postgres

import (
	"context"
	"errors"
	"log/slog"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/notify"
)

// Route returns what a host name (lower case, without port) leads to: a deployment's own name, or an environment's, which
// leads to what is live or, while nothing is, to its newest deployment. An unknown name is deployment.ErrNotFound.
func (s *Store) Route(ctx context.Context, hostname string) (deployment.Route, error) {
	if !isText(hostname) {
		return deployment.Route{}, at(deployment.ErrNotFound, "route of %q", hostname)
	}
	row, err := s.q.RouteTo(ctx, hostname)
	if err != nil {
		return deployment.Route{}, at(err, "route of %q", hostname)
	}
	r := deployment.Route{
		Hostname: hostname, DeploymentID: row.ID, DeploymentNumber: int(row.Number), Project: row.Project,
		EnvironmentID: row.EnvironmentID, Environment: row.Environment, Status: deployment.Status(row.Status),
		State: deployment.PreviewState(row.State), Stable: row.Stable, Wanted: deployment.Wanted(row.Wanted),
	}
	if r.State == deployment.PreviewLive {
		r.Address = row.Address
	}
	if r.Status == deployment.StatusReady && !row.Live {
		r.ReplacedBy = int(row.LiveNumber)
	}
	if row.Since != nil {
		r.Since = row.Since.UTC()
	}
	if r.State == deployment.PreviewFailed {
		r.NextStartAt = utc(row.NextStartAt)
	}
	if row.Expired {
		r.ExpiredAt = utc(row.ExpiresAt)
	}
	failure := row.Failure
	if failure == nil {
		failure = row.LeaseFailure
	}
	var failureErr, stepErr error
	r.Failure, failureErr = fromJSON[deployment.Failure](failure, "failure")
	r.Step, stepErr = fromJSON[deployment.StepNow](row.Step, "step")
	return r, at(errors.Join(failureErr, stepErr), "route of %q", hostname)
}

// Routes returns where the host names of all environments lead, and those of the deployments that are live in them. What leads
// to nothing live has neither a status nor a reason: Route tells them.
func (s *Store) Routes(ctx context.Context) ([]deployment.Route, error) {
	rows, err := s.q.StandingRoutes(ctx)
	routes := make([]deployment.Route, len(rows))
	for i, row := range rows {
		r := deployment.Route{
			Hostname: row.Hostname, DeploymentID: row.ID, DeploymentNumber: int(row.Number), Project: row.Project,
			EnvironmentID: row.EnvironmentID, Environment: row.Environment, State: deployment.PreviewState(row.State), Stable: row.Stable,
		}
		if r.State == deployment.PreviewLive {
			r.Status, r.Address = deployment.StatusReady, row.Address
			r.LiveFor = seconds(row.LiveSeconds)
		}
		routes[i] = r
	}
	return routes, at(err, "list routes")
}

// ListenRoutes tells until ctx ends which routes may have changed: changed with a host name, all when notifications may
// have been missed.
func (s *Store) ListenRoutes(ctx context.Context, log *slog.Logger, all func(), changed func(hostname string)) {
	notify.Listen(ctx, s.pool.Config().ConnConfig, ChannelRoutes, all, changed, log)
}

// ListenDeployments tells until ctx ends which deployments have changed, or their steps or logs: changed with an id, all when
// notifications may have been missed.
func (s *Store) ListenDeployments(ctx context.Context, log *slog.Logger, all func(), changed func(deploymentID string)) {
	notify.Listen(ctx, s.pool.Config().ConnConfig, ChannelDeployment, all, changed, log)
}
