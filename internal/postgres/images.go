package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// ExpireImages gives up the images that nothing needs any more, and returns how many tags are to be deleted because of that.
// Kept are the last keep images that were live in each environment, those of live previews and of deployments that have not
// ended, and for age those of deployments that ended without becoming ready. From then on no deployment begins with
// what was given up, although it may be in the registry for a while.
func (s *Store) ExpireImages(ctx context.Context, keep int, age time.Duration) (int, error) {
	expired, err := s.ExpiredImages(ctx, keep, age)
	if err != nil {
		return 0, err
	}
	tags, last := 0, ""
	for _, d := range expired { // in the order of their projects
		if d.ProjectID == last {
			continue
		}
		last = d.ProjectID
		n, err := s.expireImagesOf(ctx, d.ProjectID, keep, age)
		if err != nil {
			return tags, at(err, "give up images of project %s", d.ProjectID)
		}
		tags += n
	}
	return tags, nil
}

// ExpiredImages lists the deployments whose images ExpireImages would give up, with their ids and projects alone.
func (s *Store) ExpiredImages(ctx context.Context, keep int, age time.Duration) ([]deployment.Deployment, error) {
	rows, err := s.q.ExpiredImages(ctx, db.ExpiredImagesParams{Keep: int32(keep), Age: age}) //nolint:gosec // a small number
	if err != nil {
		return nil, at(err, "list images that nothing needs")
	}
	items := make([]deployment.Deployment, len(rows))
	for i, row := range rows {
		items[i] = deployment.Deployment{ID: row.ID, ProjectID: row.ProjectID}
	}
	return items, nil
}

// expireImagesOf looks again with everything locked that could begin to need an image: creations, rollbacks and promotions among
// them, wait for the project's row, retries for their environment's. The locks are taken in everybody's order.
func (s *Store) expireImagesOf(ctx context.Context, project string, keep int, age time.Duration) (int, error) {
	var tags int64
	err := s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, project); err != nil {
			return err
		}
		if err := q.LockEnvironmentsOf(ctx, project); err != nil {
			return err
		}
		rows, err := q.ExpiredImages(ctx, db.ExpiredImagesParams{Keep: int32(keep), Age: age, ProjectID: &project}) //nolint:gosec // a small number
		if err != nil {
			return err
		}
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		if err := q.GiveUpImages(ctx, ids); err != nil {
			return err
		}
		tags, err = q.GiveUpTags(ctx, ids)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil // deleted meanwhile: its teardown deletes all its tags
	}
	return int(tags), err
}

// GivenUpTags lists at most limit tags that are to be deleted from the registry, those that wait longest first.
func (s *Store) GivenUpTags(ctx context.Context, limit int) ([]deployment.Resource, error) {
	rows, err := s.q.GivenUpTags(ctx, int32(limit)) //nolint:gosec // a small number
	return toResources(rows), at(err, "list image tags that are to go")
}

// PassTagsOn gives the image tags of a deleted environment to deployments of others that run the same images: what was
// promoted outlives the environment that it was built for.
func (s *Store) PassTagsOn(ctx context.Context, scope deployment.Scope) error {
	if scope.EnvironmentID == "" {
		return nil // with the whole project nobody is left to need them
	}
	err := s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, scope.ProjectID); err != nil {
			return err
		}
		return q.PassTagsOn(ctx, scope.EnvironmentID)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // the project is deleted too
	}
	return at(err, "pass image tags of environment %s on", scope.EnvironmentID)
}

// Repositories lists repositories that the installation may have images in: at most limit of them, each time others; all of them
// when that is 0.
func (s *Store) Repositories(ctx context.Context, limit int) ([]string, error) {
	var most *int32
	if limit > 0 {
		n := int32(limit) //nolint:gosec // a small number
		most = &n
	}
	names, err := s.q.Repositories(ctx, most)
	return names, at(err, "list repositories")
}

// StrayTags returns those of tags that no row knows of although their deployment is known, and has ended longer than age ago.
func (s *Store) StrayTags(ctx context.Context, tags []deployment.Resource, age time.Duration) ([]deployment.Resource, error) {
	in := db.StrayTagsParams{Age: age}
	for _, tag := range tags {
		in.Names, in.Ids = append(in.Names, tag.Name), append(in.Ids, tag.DeploymentID)
	}
	rows, err := s.q.StrayTags(ctx, in)
	strays := make([]deployment.Resource, len(rows))
	for i, row := range rows {
		strays[i] = deployment.Resource{Kind: deployment.ResourceImageTag, Name: row.Name, DeploymentID: row.ID, RunID: row.RunID}
	}
	return strays, at(err, "list tags without a row")
}

// LostTags lists the rows of tags with names that begin with prefix and are not among there, of deployments that have ended
// longer than age ago.
func (s *Store) LostTags(ctx context.Context, prefix string, there []string, age time.Duration) ([]deployment.Resource, error) {
	if there == nil {
		there = []string{} // null would make the comparison neither true nor false
	}
	rows, err := s.q.LostTags(ctx, db.LostTagsParams{Age: age, Prefix: prefix, There: there})
	return toResources(rows), at(err, "list tags that are gone")
}
