package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// AddDomain stores a domain of an environment, which leads nowhere until VerifyDomain. One that the environment has already is
// returned as it stands, with its own token, and created=false. One that another environment has shown to be its own is
// deployment.ErrDomainTaken.
func (s *Store) AddDomain(ctx context.Context, environmentID, name, token string) (d deployment.Domain, created bool, err error) {
	if !isID(environmentID) {
		return d, false, at(deployment.ErrNotFound, "add domain to environment %q", environmentID)
	}
	err = s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockEnvironmentByID(ctx, environmentID); err != nil {
			return err
		}
		taken, err := q.DomainIsTaken(ctx, db.DomainIsTakenParams{Name: name, EnvironmentID: environmentID})
		if err != nil {
			return err
		}
		if taken {
			return deployment.ErrDomainTaken
		}
		rows, err := q.AddDomain(ctx, db.AddDomainParams{EnvironmentID: environmentID, Name: name, Token: token})
		created = rows == 1
		return err
	})
	if err != nil {
		return d, false, at(err, "add domain %q to environment %s", name, environmentID)
	}
	d, err = s.Domain(ctx, environmentID, name)
	return d, created, err
}

// Domain finds a domain of an environment.
func (s *Store) Domain(ctx context.Context, environmentID, name string) (deployment.Domain, error) {
	if !isID(environmentID) || !isText(name) {
		return deployment.Domain{}, at(deployment.ErrNotFound, "domain %q", name)
	}
	row, err := s.q.Domain(ctx, db.DomainParams{EnvironmentID: environmentID, Name: name})
	return toDomain(row), at(err, "domain %q of environment %s", name, environmentID)
}

// Domains returns one page of an environment's domains, sorted by name, and the cursor of the next page, empty after the last.
func (s *Store) Domains(ctx context.Context, environmentID string, page deployment.Page) (items []deployment.Domain, next string, err error) {
	if !isID(environmentID) {
		return nil, "", at(deployment.ErrNotFound, "domains of environment %q", environmentID)
	}
	after, err := decodeNameCursor(cursorDomains, page.Cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list domains: %w", err)
	}
	limit := limitOf(page)
	rows, err := s.q.Domains(ctx, db.DomainsParams{EnvironmentID: environmentID, After: after, Max: int32(limit + 1)})
	if err != nil {
		return nil, "", at(err, "list domains of environment %s", environmentID)
	}
	for i, row := range rows {
		if i == limit {
			return items, encodeCursor(cursorDomains, items[limit-1].Name), nil
		}
		items = append(items, toDomain(db.DomainRow(row)))
	}
	return items, "", nil
}

// DomainNotShown notes why a look at DNS did not show whose a domain is.
func (s *Store) DomainNotShown(ctx context.Context, environmentID, name, why string) error {
	_, err := s.q.DomainNotShown(ctx, db.DomainNotShownParams{EnvironmentID: environmentID, Name: name, CheckError: asText(why)})
	return at(err, "note a look at domain %q", name)
}

// VerifyDomain makes a domain lead to its environment, since its token was found in DNS. deployment.ErrDomainTaken when another
// environment was quicker, deployment.ErrNotFound when the domain was removed meanwhile.
func (s *Store) VerifyDomain(ctx context.Context, d deployment.Domain) (deployment.Domain, error) {
	rows, err := s.q.VerifyDomain(ctx, db.VerifyDomainParams{EnvironmentID: d.EnvironmentID, Name: d.Name, Token: d.Token})
	if refusal, refused := errors.AsType[*pgconn.PgError](err); refused && refusal.ConstraintName == "domains_verified" {
		err = deployment.ErrDomainTaken
	}
	if err == nil && rows == 0 {
		err = deployment.ErrNotFound
	}
	if err != nil {
		return d, at(err, "verify domain %q of environment %s", d.Name, d.EnvironmentID)
	}
	return s.Domain(ctx, d.EnvironmentID, d.Name)
}

// DeleteDomain frees a domain; deployment.ErrNotFound when the environment has none of that name.
func (s *Store) DeleteDomain(ctx context.Context, environmentID, name string) error {
	if !isID(environmentID) || !isText(name) {
		return at(deployment.ErrNotFound, "delete domain %q", name)
	}
	rows, err := s.q.DeleteDomain(ctx, db.DeleteDomainParams{EnvironmentID: environmentID, Name: name})
	if err == nil && rows == 0 {
		err = deployment.ErrNotFound
	}
	return at(err, "delete domain %q of environment %s", name, environmentID)
}

func toDomain(r db.DomainRow) deployment.Domain {
	return deployment.Domain{
		EnvironmentID: r.EnvironmentID, EnvironmentHost: r.EnvironmentHost, Name: r.Name, Token: r.Token, CreatedAt: r.CreatedAt.In(time.UTC),
		CheckedAt: utc(r.CheckedAt), CheckError: r.CheckError, VerifiedAt: utc(r.VerifiedAt),
	}
}
