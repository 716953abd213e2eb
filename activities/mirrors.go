package activities

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Mirrors are what a build host keeps of repositories, for the next fetch to move only what is new. They have no rows in the
// ledger: nobody needs them, and whoever may use one is asked by its repository's server each time.
type Mirrors interface {
	// Projects lists the ids of the projects that have one.
	Projects() ([]string, error)
	// Remove removes those of a project; that there are none is no error.
	Remove(projectID string) error
}

// Projects is what tells which projects there are.
type Projects interface {
	// Project returns a project; deployment.ErrNotFound for one that is deleted.
	Project(ctx context.Context, id string) (deployment.Project, error)
}

// sweepMirrors removes the mirrors of projects that were deleted: a teardown asks the hosts that it knows to have worked for the
// project, and that answer.
func (s *Sweeper) sweepMirrors(ctx context.Context, p *pass) error {
	projects, err := s.Mirrors.Projects()
	errs := []error{err}
	for _, id := range projects {
		if uuid.Validate(id) != nil {
			continue // slipway made none of that name
		}
		_, err := s.Projects.Project(ctx, id)
		if !errors.Is(err, deployment.ErrNotFound) {
			errs = append(errs, err)
			continue
		}
		found := deployment.Difference{Kind: "git_mirror", Thing: id, Host: s.HostID, Found: "its project is deleted", Repair: "removed"}
		errs = append(errs, p.mend(&p.result.Swept, found, func() error { return s.Mirrors.Remove(id) }))
	}
	return errors.Join(errs...)
}
