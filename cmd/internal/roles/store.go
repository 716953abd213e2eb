package roles

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// OpenStore brings the schema up to date and opens the store.
func OpenStore(ctx context.Context, c config.Postgres, previewDomain string) (*postgres.Store, error) {
	keyset, err := secrets.OpenKeyset(c.Keyset)
	if err != nil {
		return nil, err
	}
	store, err := postgres.Open(ctx, c.URL, postgres.Options{PreviewDomain: previewDomain, Cipher: keyset})
	if err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, store.Pool()); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// EnsureAdminToken makes the first token when there is none and writes it to path, readable by its owner alone. The file
// comes before the row: a token whose file was lost could never be used.
func EnsureAdminToken(ctx context.Context, store *postgres.Store, path string, log *slog.Logger) error {
	token, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		token = []byte("slipway_" + rand.Text() + rand.Text() + "\n")
		err = writeWhole(path, token)
	}
	if err != nil {
		return fmt.Errorf("admin token: %w", err)
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(string(token))))
	if _, err := store.TokenName(ctx, hash[:]); err == nil {
		return nil
	} else if !errors.Is(err, deployment.ErrNotFound) {
		return fmt.Errorf("admin token: %w", err)
	}
	if has, err := store.HasTokens(ctx); err != nil || has {
		return err // somebody manages tokens here; a file that fits none of them is theirs to remove
	}
	if err := store.CreateToken(ctx, "admin", hash[:]); err != nil {
		return fmt.Errorf("admin token: %w", err)
	}
	log.Info("made the first admin token", "file", path)
	return nil
}

// writeWhole writes a file that only its owner may read, in one step: one that was killed leaves no half token.
func writeWhole(path string, data []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
