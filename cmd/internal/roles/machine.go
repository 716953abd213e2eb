package roles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/cluster"
	"github.com/slipway-dev/slipway/internal/privatefile"
)

// JoinMachine opens the store of the installation on this machine without its API: the database that the configuration names,
// else slipway-dev's own, which has to run.
func JoinMachine(ctx context.Context, m config.Dev) (*postgres.Store, error) {
	own := m.Postgres.URL == ""
	if own {
		m.Postgres.URL = (&cluster.Cluster{SocketDir: m.PostgresSocketDir()}).DSN("slipway")
	}
	store, err := JoinStore(ctx, m.Postgres, m.Gateway.Domain)
	if own && err != nil && postgres.Unreachable(err) && !errors.Is(err, fs.ErrPermission) {
		err = deployment.UserFailure("machine.no_database",
			"start slipway-dev (`make up`) in the folder that holds this data directory; or name another one with SLIPWAY_DATA_DIR, or a database with SLIPWAY_DATABASE_URL",
			"no Postgres runs for data directory %s: %w", m.DataDir, err)
	}
	return store, denied(err)
}

// denied says who may do what was refused.
func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return deniedHere(err)
	}
	return err
}

// FixOf returns what to do about an error, empty where it does not say.
func FixOf(err error) string {
	if f, ok := errors.AsType[*deployment.Failure](err); ok {
		return f.Fix
	}
	return ""
}

// NewAdminToken is what ReplaceAdminToken has made.
type NewAdminToken struct {
	Name   string
	Secret string            // shown once: what is stored is its hash
	File   string            // holds the secret too
	Before *deployment.Token // the one that had the name, as it stands now; nil for none
	Kept   bool              // it is still valid
}

// ReplaceAdminToken makes a token in the place of the one called name, which ends with that unless it is kept, and writes it to
// the data directory's admin.token. Killed on the way it has changed nothing, or is to be run again.
func ReplaceAdminToken(ctx context.Context, store *postgres.Store, dataDir, name string, keep bool) (NewAdminToken, error) {
	made := NewAdminToken{Name: name, Secret: deployment.NewTokenSecret(), File: filepath.Join(dataDir, "admin.token"), Kept: keep}
	if f := deployment.ValidateTokenName(name); f != nil {
		return made, deployment.UserFailure("token.name", f.Fix, "name %q %s", name, f.Fault)
	}
	draft, err := privatefile.New(made.File)
	if err != nil {
		return made, fmt.Errorf("admin token: %w", err)
	}
	defer draft.Discard()
	if _, err := draft.WriteString(made.Secret + "\n"); err != nil {
		return made, fmt.Errorf("admin token: %w", err)
	}
	if made.Before, err = store.ReplaceToken(ctx, name, deployment.HashToken(made.Secret), keep); err != nil {
		return made, err
	}
	if err := draft.Replace(); err != nil {
		return made, fmt.Errorf("admin token: %w: run it again", err)
	}
	return made, nil
}
