package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

var errOwned = errors.New("another deployment owns it")

// Own writes the row of a thing that is about to be made. A later run of the same deployment takes the row over; what
// another deployment owns is an error.
func (s *Store) Own(ctx context.Context, r deployment.Resource) error {
	return at(own(ctx, s.q, r), "own %s %s on host %q", r.Kind, r.Name, r.Host)
}

func own(ctx context.Context, q *db.Queries, r deployment.Resource) error {
	n, err := q.Own(ctx, db.OwnParams{
		Kind: string(r.Kind), Name: r.Name, Host: r.Host, DeploymentID: r.DeploymentID, RunID: r.RunID,
	})
	if err == nil && n == 0 {
		err = errOwned
	}
	return err
}

// Disown removes the row of a thing that is verified gone; no row is not an error. When the resource names a run, the row
// of another run stays: that one has taken the thing over.
func (s *Store) Disown(ctx context.Context, r deployment.Resource) error {
	return at(s.q.Disown(ctx, db.DisownParams{
		Kind: string(r.Kind), Name: r.Name, Host: r.Host, DeploymentID: r.DeploymentID, RunID: r.RunID,
	}), "disown %s %s on host %q", r.Kind, r.Name, r.Host)
}

// Owned lists what a deployment owns on a host ("" for every host) of the given kinds (none for all), oldest first.
func (s *Store) Owned(ctx context.Context, deploymentID, host string, kinds ...deployment.ResourceKind) ([]deployment.Resource, error) {
	rows, err := s.q.Owned(ctx, db.OwnedParams{DeploymentID: deploymentID, Host: host, Kinds: kindNames(kinds)})
	return toResources(rows), at(err, "list what deployment %s owns", deploymentID)
}

// OpenLeases lists the leases of a host's build slots, oldest first.
func (s *Store) OpenLeases(ctx context.Context, host string) ([]deployment.Resource, error) {
	rows, err := s.q.OpenLeases(ctx, host)
	return toResources(rows), at(err, "list open leases of host %q", host)
}

// LeasesBefore lists the leases of a host's build slots that were taken longer ago than age, oldest first.
func (s *Store) LeasesBefore(ctx context.Context, host string, age time.Duration) ([]deployment.Resource, error) {
	rows, err := s.q.LeasesBefore(ctx, db.LeasesBeforeParams{Host: host, Age: age})
	return toResources(rows), at(err, "list the older leases of host %q", host)
}

// OwnedAs lists the rows of things with these names, on whichever hosts.
func (s *Store) OwnedAs(ctx context.Context, names []string) ([]deployment.Resource, error) {
	rows, err := s.q.OwnedAs(ctx, names)
	return toResources(rows), at(err, "list the rows of %d things", len(names))
}

// PulledInVain returns those of the digests that are of images of deployments which have ended longer ago than age, and whose
// previews are not to run. A digest of no known deployment is not among them.
func (s *Store) PulledInVain(ctx context.Context, digests []string, age time.Duration) ([]string, error) {
	list, err := s.q.PulledInVain(ctx, db.PulledInVainParams{Digests: digests, Age: age})
	return list, at(err, "list which of %d images are of no use", len(digests))
}

// EndedAmong returns those of the deployments that have ended longer than age ago.
func (s *Store) EndedAmong(ctx context.Context, ids []string, age time.Duration) ([]string, error) {
	list, err := s.q.EndedAmong(ctx, db.EndedAmongParams{Ids: ids, Age: age})
	return list, at(err, "list which of %d deployments have ended", len(ids))
}

// NeededAs lists the containers and networks with these names that belong to previews which are to run, whether they have a
// row or not.
func (s *Store) NeededAs(ctx context.Context, names []string) ([]deployment.Resource, error) {
	rows, err := s.q.NeededAs(ctx, names)
	needed := make([]deployment.Resource, len(rows))
	for i, r := range rows {
		needed[i] = deployment.Resource{
			Kind: deployment.ResourceKind(r.Kind), Name: r.Name, Host: r.Host, DeploymentID: r.DeploymentID, RunID: r.RunID,
		}
	}
	return needed, at(err, "list which of %d things are needed", len(names))
}

// LeftOver lists the containers, networks, workspaces and build slots that a host still holds although nobody needs them
// any more: their deployment ended without becoming ready, was replaced, runs elsewhere, or goes on under another run, longer
// than age ago.
func (s *Store) LeftOver(ctx context.Context, host string, age, settled time.Duration) ([]deployment.Resource, error) {
	rows, err := s.q.LeftOver(ctx, db.LeftOverParams{Host: host, Age: age, Settled: settled})
	return toResources(rows), at(err, "list what is left on host %q", host)
}

func kindNames(kinds []deployment.ResourceKind) []string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return names
}

func toResources(rows []db.Resource) []deployment.Resource {
	resources := make([]deployment.Resource, len(rows))
	for i, r := range rows {
		resources[i] = deployment.Resource{
			Kind: deployment.ResourceKind(r.Kind), Name: r.Name, Host: r.Host, DeploymentID: r.DeploymentID, RunID: r.RunID,
		}
	}
	return resources
}
