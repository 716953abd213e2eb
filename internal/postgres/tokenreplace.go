package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// ReplaceToken stores a token that does not expire under name, by its secret's SHA-256. The one that had the name is no
// longer valid from the same moment on; with keep it goes on under another name. before is that one as it stands now, nil
// when nobody had the name.
func (s *Store) ReplaceToken(ctx context.Context, name string, hash []byte, keep bool) (before *deployment.Token, err error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	err = s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockLastingTokens(ctx); err != nil { // as those do who revoke
			return err
		}
		if before, err = makeRoom(ctx, q, name, keep); err != nil {
			return err
		}
		_, err := q.CreateToken(ctx, db.CreateTokenParams{ID: id, Name: name, Hash: hash})
		return err
	})
	return before, at(err, "replace token %q", name)
}

// makeRoom frees a token's name.
func makeRoom(ctx context.Context, q *db.Queries, name string, keep bool) (*deployment.Token, error) {
	row, err := q.TokenByName(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if keep {
		row.Name = name + "-" + row.ID[len(row.ID)-8:]
		err = q.RenameToken(ctx, db.RenameTokenParams{ID: row.ID, Name: row.Name})
	} else {
		_, err = q.DeleteToken(ctx, row.ID)
	}
	before := toToken(row)
	return &before, err
}
