package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// CreateToken stores t, with an id of its own, by its secret's SHA-256; deployment.ErrNameTaken when another has the name.
func (s *Store) CreateToken(ctx context.Context, t deployment.Token, hash []byte) (deployment.Token, error) {
	id, err := newID()
	if err != nil {
		return deployment.Token{}, err
	}
	row, err := s.q.CreateToken(ctx, db.CreateTokenParams{ID: id, Name: t.Name, Hash: hash, ExpiresAt: t.ExpiresAt})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == uniqueViolation && pg.ConstraintName == "tokens_name" {
		err = deployment.ErrNameTaken
	}
	return toToken(row), at(err, "create token %q", t.Name)
}

// HasTokens reports whether there is any token.
func (s *Store) HasTokens(ctx context.Context) (bool, error) {
	has, err := s.q.HasTokens(ctx)
	return has, at(err, "look for tokens")
}

// TokenByHash returns the token with that SHA-256, expired ones too, deployment.ErrNotFound for none, and notes its use, to the
// minute.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (deployment.Token, error) {
	row, err := s.q.TokenByHash(ctx, hash)
	if err != nil {
		return deployment.Token{}, at(err, "find token")
	}
	if row.Note {
		err = s.q.NoteTokenUse(ctx, row.Token.ID)
	}
	return toToken(row.Token), at(err, "note use of token %q", row.Token.Name)
}

// Tokens lists tokens by name.
func (s *Store) Tokens(ctx context.Context, page deployment.Page) (items []deployment.Token, next string, err error) {
	after := ""
	if page.Cursor != "" {
		if after, err = decodeCursor("t", page.Cursor); err != nil {
			return nil, "", at(err, "list tokens")
		}
	}
	limit := limitOf(page)
	rows, err := s.q.Tokens(ctx, db.TokensParams{After: after, Max: int32(limit + 1)})
	if err != nil {
		return nil, "", at(err, "list tokens")
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = encodeCursor("t", rows[limit-1].Name)
	}
	for _, row := range rows {
		items = append(items, toToken(row))
	}
	return items, next, nil
}

// DeleteToken removes a token; deployment.ErrLastToken when none that does not expire would be left, since then a day would come
// when nobody can make another.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	if !isID(id) {
		return at(deployment.ErrNotFound, "delete token %q", id)
	}
	return at(s.inTx(ctx, func(q *db.Queries) error {
		lasting, err := q.LockLastingTokens(ctx)
		if err != nil {
			return err
		}
		if slices.Equal(lasting, []string{id}) {
			return deployment.ErrLastToken
		}
		deleted, err := q.DeleteToken(ctx, id)
		if err == nil && deleted == 0 {
			err = deployment.ErrNotFound
		}
		return err
	}), "delete token %s", id)
}

func toToken(row db.Token) deployment.Token {
	return deployment.Token{
		ID: row.ID, Name: row.Name, CreatedAt: row.CreatedAt, LastUsedAt: utc(row.LastUsedAt), ExpiresAt: utc(row.ExpiresAt),
	}
}
