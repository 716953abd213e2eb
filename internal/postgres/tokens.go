package postgres

import (
	"context"

	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// CreateToken stores a token by its SHA-256; the token itself is never stored.
func (s *Store) CreateToken(ctx context.Context, name string, hash []byte) error {
	return at(s.q.CreateToken(ctx, db.CreateTokenParams{Name: name, Hash: hash}), "create token %q", name)
}

// HasTokens reports whether any token was ever made.
func (s *Store) HasTokens(ctx context.Context) (bool, error) {
	has, err := s.q.HasTokens(ctx)
	return has, at(err, "look for tokens")
}

// TokenName returns the name of the token with that SHA-256, deployment.ErrNotFound for none, and notes its use, to the
// minute.
func (s *Store) TokenName(ctx context.Context, hash []byte) (string, error) {
	token, err := s.q.Token(ctx, hash)
	if err != nil {
		return "", at(err, "find token")
	}
	if token.Note {
		err = s.q.NoteTokenUse(ctx, token.ID)
	}
	return token.Name, at(err, "note use of token %q", token.Name)
}
