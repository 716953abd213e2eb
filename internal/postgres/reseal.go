package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// SealedBy counts the secrets by the first length bytes of what is stored, which name the key that has sealed them.
func (s *Store) SealedBy(ctx context.Context, length int) (map[string]int, error) {
	counts, err := sealedBy(ctx, s.q, length)
	return counts, at(err, "count secrets by key")
}

func sealedBy(ctx context.Context, q *db.Queries, length int) (map[string]int, error) {
	rows, err := q.SealedBy(ctx, int32(length)) //nolint:gosec // a few bytes
	counts := map[string]int{}
	for _, row := range rows {
		counts[string(row.Key)] = int(row.Secrets)
	}
	return counts, err
}

// Reseal encrypts every secret anew that does not begin with key, each in a transaction of its own, and returns how many. What
// is written meanwhile is locked or left alone. Called again after it was stopped anywhere, it does the rest.
func (s *Store) Reseal(ctx context.Context, key []byte) (n int, err error) {
	if s.options.Cipher == nil {
		return 0, at(errNoCipher, "reseal secrets")
	}
	vars, err := s.q.EnvVarsUnderOthers(ctx, key)
	if err != nil {
		return 0, at(err, "list env vars to reseal")
	}
	for _, v := range vars {
		if err := s.inTx(ctx, func(q *db.Queries) error { return s.resealEnvVar(ctx, q, v) }); err != nil {
			return n, at(err, "reseal env var %s of %s", v.Name, v.ProjectID)
		}
		n++
	}
	projects, err := s.q.GitCredentialsUnderOthers(ctx, key)
	if err != nil {
		return n, at(err, "list git credentials to reseal")
	}
	for _, id := range projects {
		if err := s.inTx(ctx, func(q *db.Queries) error { return s.resealGitCredential(ctx, q, id) }); err != nil {
			return n, at(err, "reseal git credential of project %s", id)
		}
		n++
	}
	assets, err := s.q.AssetsUnderOthers(ctx, key)
	if err != nil {
		return n, at(err, "list certificates to reseal")
	}
	for _, asset := range assets {
		if err := s.inTx(ctx, func(q *db.Queries) error { return s.resealAsset(ctx, q, asset) }); err != nil {
			return n, at(err, "reseal %s", asset)
		}
		n++
	}
	return n, nil
}

func (s *Store) resealEnvVar(ctx context.Context, q *db.Queries, v db.EnvVarsUnderOthersRow) error {
	sealed, err := q.LockEnvVar(ctx, db.LockEnvVarParams(v))
	if errors.Is(err, pgx.ErrNoRows) { // deleted since
		return nil
	}
	if err != nil {
		return err
	}
	place := placeOf(deployment.Scope{ProjectID: v.ProjectID, EnvironmentID: orEmpty(v.EnvironmentID)}, v.Name)
	if sealed, err = s.reseal(sealed, place); err != nil {
		return err
	}
	return q.ResealEnvVar(ctx, db.ResealEnvVarParams{ProjectID: v.ProjectID, EnvironmentID: v.EnvironmentID, Name: v.Name, Value: sealed})
}

func (s *Store) resealGitCredential(ctx context.Context, q *db.Queries, projectID string) error {
	row, err := q.LockGitCredential(ctx, projectID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	place := credentialPlace(projectID, deployment.CredentialSummary{Kind: deployment.CredentialKind(row.Kind), Origin: row.Origin})
	sealed, err := s.reseal(row.Secret, place)
	if err != nil {
		return err
	}
	return q.ResealGitCredential(ctx, db.ResealGitCredentialParams{ProjectID: projectID, Secret: sealed})
}

func (s *Store) resealAsset(ctx context.Context, q *db.Queries, key string) error {
	sealed, err := q.LockAsset(ctx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if sealed, err = s.reseal(sealed, assetPlace(key)); err != nil {
		return err
	}
	return q.ResealAsset(ctx, db.ResealAssetParams{Key: key, Value: sealed})
}

func (s *Store) reseal(sealed, place []byte) ([]byte, error) {
	plain, err := s.options.Cipher.Decrypt(sealed, place)
	if err != nil {
		return nil, fmt.Errorf("with the old key: %w", err)
	}
	return s.options.Cipher.Encrypt(plain, place)
}
