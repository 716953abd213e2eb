package postgres

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// ErrStillOwned means that the ledger still holds rows of what was to be purged, or that a deployment has not ended.
var ErrStillOwned = errors.New("something is still owned")

// Delete hides a project with its environments, or one environment: names, host names and domains are free again at once, the
// gateway is told, and what is under way is canceled. The rows stay until Purge. What is not there, or deleted already, is
// deployment.ErrNotFound.
func (s *Store) Delete(ctx context.Context, scope deployment.Scope) (d deployment.Deletion, err error) {
	if !isID(scope.ProjectID) || !isID(scope.ID()) {
		return d, at(deployment.ErrNotFound, "delete %q", scope.ID())
	}
	environment := orNull(scope.EnvironmentID)
	err = s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, scope.ProjectID); err != nil {
			return err
		}
		hidden, err := q.HideEnvironments(ctx, db.HideEnvironmentsParams{ProjectID: scope.ProjectID, EnvironmentID: environment})
		switch {
		case err != nil:
			return err
		case environment == nil:
			err = q.HideProject(ctx, scope.ProjectID)
		case hidden == 0:
			return deployment.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := q.FreeDomains(ctx, scope.ProjectID); err != nil {
			return err
		}
		waiting := db.CancelWaitingInParams{ProjectID: scope.ProjectID, EnvironmentID: environment}
		if err := q.CancelWaitingIn(ctx, waiting); err != nil {
			return err
		}
		if err := q.CancelAll(ctx, db.CancelAllParams{ProjectID: scope.ProjectID, EnvironmentID: environment}); err != nil {
			return err
		}
		if err := q.TouchLeases(ctx, db.TouchLeasesParams{ProjectID: scope.ProjectID, EnvironmentID: environment}); err != nil {
			return err
		}
		d, err = deletion(ctx, q, scope.ID())
		return err
	})
	return d, at(err, "delete %s", scope.ID())
}

// Deletion returns what is left of a deleted project or environment; deployment.ErrNotFound once that is nothing.
func (s *Store) Deletion(ctx context.Context, id string) (deployment.Deletion, error) {
	if !isID(id) {
		return deployment.Deletion{}, at(deployment.ErrNotFound, "deletion %q", id)
	}
	d, err := deletion(ctx, s.q, id)
	return d, at(err, "deletion %s", id)
}

func deletion(ctx context.Context, q *db.Queries, id string) (deployment.Deletion, error) {
	found, err := deletions(ctx, q, &id)
	if err != nil {
		return deployment.Deletion{}, err
	}
	if len(found) == 0 {
		return deployment.Deletion{}, deployment.ErrNotFound
	}
	return found[0], nil
}

// Deletions returns everything that is deleted and not yet purged, in the order of the deletions. An environment that
// goes with its project is not listed by itself.
func (s *Store) Deletions(ctx context.Context) ([]deployment.Deletion, error) {
	found, err := deletions(ctx, s.q, nil)
	return found, at(err, "list deletions")
}

func deletions(ctx context.Context, q *db.Queries, id *string) ([]deployment.Deletion, error) {
	rows, err := q.Deletions(ctx, id)
	if err != nil {
		return nil, err
	}
	list := make([]deployment.Deletion, len(rows))
	for i, row := range rows {
		list[i] = deployment.Deletion{
			Scope:       deployment.Scope{ProjectID: row.ProjectID, EnvironmentID: orEmpty(row.EnvironmentID)},
			ProjectName: row.ProjectName, Name: row.Name, RequestedAt: row.DeletedAt.UTC(),
		}
		left, err := q.Left(ctx, db.LeftParams{ProjectID: row.ProjectID, EnvironmentID: row.EnvironmentID})
		if err != nil {
			return nil, err
		}
		for _, l := range left {
			list[i].Left = append(list[i].Left, deployment.LeftOver{
				Kind: l.Kind, Name: l.Name, Host: l.Host, HostSeenAt: utc(l.HostSeenAt), DeploymentID: l.DeploymentID, Number: int(l.Number),
			})
		}
	}
	return list, nil
}

// UnderWayIn returns the deployments of a scope that have not ended, oldest first, without plan and Dockerfile.
func (s *Store) UnderWayIn(ctx context.Context, scope deployment.Scope) ([]deployment.Deployment, error) {
	rows, err := s.q.UnderWayIn(ctx, db.UnderWayInParams{ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID)})
	if err != nil {
		return nil, at(err, "list deployments under way in %s", scope.ID())
	}
	items, err := toDeployments(rows)
	return items, at(err, "list deployments under way in %s", scope.ID())
}

// DeploymentIDs returns the ids of a scope's deployments, those of a deleted one too, by number.
func (s *Store) DeploymentIDs(ctx context.Context, scope deployment.Scope) ([]string, error) {
	ids, err := s.q.DeploymentIDs(ctx, db.DeploymentIDsParams{ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID)})
	return ids, at(err, "list deployments of %s", scope.ID())
}

// OwnedIn lists what the deployments of a scope own on a host ("" for every host) of the given kinds, sorted by kind.
func (s *Store) OwnedIn(ctx context.Context, scope deployment.Scope, host string, kinds ...deployment.ResourceKind) ([]deployment.Resource, error) {
	rows, err := s.q.OwnedIn(ctx, db.OwnedInParams{
		ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID), Host: host, Kinds: kindNames(kinds),
	})
	return toResources(rows), at(err, "list what is owned in %s", scope.ID())
}

// HostsOf lists the preview hosts and the build hosts that are to be looked at before a scope is purged: those that hold
// something by the ledger, and those that ran a step for it and were seen lately.
func (s *Store) HostsOf(ctx context.Context, scope deployment.Scope) (previews, builds []string, err error) {
	rows, err := s.q.HostsOf(ctx, db.HostsOfParams{
		ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID), Within: hostTimeout,
	})
	for _, row := range rows {
		if row.Previews {
			previews = append(previews, row.Host)
		} else {
			builds = append(builds, row.Host)
		}
	}
	return previews, builds, at(err, "list the hosts of %s", scope.ID())
}

// Purge removes every row of a deleted scope; ErrStillOwned while the ledger holds any of its things or a deployment has
// not ended. What is not deleted, or is purged already, is deployment.ErrNotFound.
func (s *Store) Purge(ctx context.Context, scope deployment.Scope) error {
	return at(s.inTx(ctx, func(q *db.Queries) error {
		environment := orNull(scope.EnvironmentID)
		if err := lockDeleted(ctx, q, scope); err != nil {
			return err
		}
		left, err := q.Left(ctx, db.LeftParams{ProjectID: scope.ProjectID, EnvironmentID: environment})
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return ErrStillOwned
		}
		return purge(ctx, q, scope.ProjectID, environment)
	}), "purge %s", scope.ID())
}

func lockDeleted(ctx context.Context, q *db.Queries, scope deployment.Scope) (err error) {
	if scope.EnvironmentID == "" {
		_, err = q.LockDeletedProject(ctx, scope.ProjectID)
	} else {
		_, err = q.LockDeletedEnvironment(ctx, db.LockDeletedEnvironmentParams{ID: scope.EnvironmentID, ProjectID: scope.ProjectID})
	}
	return err
}

func purge(ctx context.Context, q *db.Queries, project string, environment *string) error {
	err := q.ForgetLive(ctx, db.ForgetLiveParams{ProjectID: project, EnvironmentID: environment})
	if err == nil {
		err = q.PurgeDeployments(ctx, db.PurgeDeploymentsParams{ProjectID: project, EnvironmentID: environment})
	}
	if err == nil {
		err = q.PurgeEnvironments(ctx, db.PurgeEnvironmentsParams{ProjectID: project, EnvironmentID: environment})
	}
	if err != nil || environment != nil {
		return err
	}
	if err := q.DeleteEnvVars(ctx, db.DeleteEnvVarsParams{ProjectID: project}); err != nil {
		return err
	}
	return q.PurgeProject(ctx, project)
}
