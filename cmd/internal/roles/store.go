package roles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/privatefile"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// OpenStore brings the schema up to date, makes the keyset when it is missing, and opens the store.
func OpenStore(ctx context.Context, c config.Postgres, previewDomain string) (*postgres.Store, error) {
	keyset, err := openKeyset(ctx, c)
	if err != nil {
		return nil, err
	}
	return openStore(ctx, c.URL, postgres.Options{PreviewDomain: previewDomain, Cipher: keyset}, postgres.Migrate)
}

func openKeyset(ctx context.Context, c config.Postgres) (*secrets.Keyset, error) {
	return secrets.OpenKeyset(ctx, keysetPlace(c))
}

func keysetPlace(c config.Postgres) secrets.Place {
	return secrets.Place{File: c.Keyset, KMS: c.KeysetKMS}
}

// JoinStore opens the store of an installation that `slipway migrate` has prepared. Nothing is made here: a second schema
// or keyset would make what the first one holds unreadable. A role without a keyset never sees the values of env vars.
func JoinStore(ctx context.Context, c config.Postgres, previewDomain string) (*postgres.Store, error) {
	options, err := joinOptions(ctx, c, previewDomain)
	if err != nil {
		return nil, err
	}
	return openStore(ctx, c.URL, options, postgres.CheckSchema)
}

func joinOptions(ctx context.Context, c config.Postgres, previewDomain string) (postgres.Options, error) {
	options := postgres.Options{PreviewDomain: previewDomain}
	if c.Keyset == "" {
		return options, nil
	}
	if _, err := os.Stat(c.Keyset); err != nil {
		return options, fmt.Errorf("keyset: %w: run `slipway migrate` on this host first, or copy the file from where that ran", err)
	}
	keyset, err := openKeyset(ctx, c)
	if err != nil {
		return options, err
	}
	options.Cipher = keyset
	return options, nil
}

// joinStoreLater is JoinStore for a role that has something to do while Postgres is away.
func joinStoreLater(ctx context.Context, c config.Postgres, previewDomain string, log *slog.Logger) (*postgres.Store, error) {
	options, err := joinOptions(ctx, c, previewDomain)
	if err != nil {
		return nil, err
	}
	store, err := postgres.OpenLater(ctx, c.URL, options)
	if err != nil {
		return nil, err
	}
	err = postgres.CheckSchema(ctx, store.Pool())
	if postgres.Unreachable(err) {
		log.Warn("Postgres does not answer yet", "error", err)
		return store, nil
	}
	if err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

func openStore(ctx context.Context, dsn string, o postgres.Options, schema func(context.Context, *pgxpool.Pool) error) (*postgres.Store, error) {
	store, err := postgres.Open(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	if err := schema(ctx, store.Pool()); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// EnsureAdminToken makes the first token when there is none and writes it to path, readable by its owner alone. The file
// comes before the row: a token whose file was lost could never be used. It reports whether the file's token is valid:
// where somebody manages tokens, a file that fits none of them is theirs to remove. It may run several times at once.
func EnsureAdminToken(ctx context.Context, store *postgres.Store, path string, log *slog.Logger) (valid bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("admin token: %w", err)
		}
	}()
	has, err := store.HasTokens(ctx)
	if err != nil {
		return false, err
	}
	token, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && has {
		return false, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		token, err = newToken(path)
	}
	if err != nil {
		return false, err
	}
	hash := deployment.HashToken(strings.TrimSpace(string(token)))
	if known, err := knows(ctx, store, hash); known || err != nil || has {
		return known, err
	}
	if _, err := store.CreateToken(ctx, deployment.Token{Name: "admin"}, hash); err != nil {
		known, _ := knows(ctx, store, hash) // another process with the same file was quicker
		if !known {
			return false, err
		}
	}
	log.Info("made the first admin token", "file", path)
	return true, nil
}

func knows(ctx context.Context, store *postgres.Store, hash []byte) (bool, error) {
	_, err := store.TokenByHash(ctx, hash)
	if errors.Is(err, deployment.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// newToken writes a token to a file that only its owner may read, unless another process has made one, and returns what the
// file holds then.
func newToken(path string) ([]byte, error) {
	err := privatefile.Create(path, []byte(deployment.NewTokenSecret()+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}
