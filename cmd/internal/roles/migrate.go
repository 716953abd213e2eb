package roles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/namespace"
)

// knock is the pause between two attempts to reach Postgres.
const knock = 250 * time.Millisecond

// Prepared is what Migrate has left.
type Prepared struct {
	AdminTokenFile string // empty where others manage tokens and the file holds no valid one
}

// Migrate prepares an installation: the schema, the keyset, the first admin token, the Temporal namespace with its
// retention and search attributes. What is right already stays. It may run any number of times, also at once on several
// hosts. Servers that do not answer yet are waited for until ctx ends.
func Migrate(ctx context.Context, c config.MigrateRole, log *slog.Logger) (Prepared, error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return Prepared{}, fmt.Errorf("data directory: %w", err)
	}
	store, err := awaitStore(ctx, c.Postgres, log)
	if err != nil {
		return Prepared{}, err
	}
	defer store.Close()
	log.Info("schema is up to date")
	if err := ensureKeyset(ctx, store, c.Postgres); err != nil {
		return Prepared{}, err
	}
	valid, err := EnsureAdminToken(ctx, store, c.AdminTokenFile(), log)
	if err != nil {
		return Prepared{}, err
	}
	if err := prepareNamespace(ctx, c.Temporal, log); err != nil {
		return Prepared{}, err
	}
	log.Info("namespace is ready", "namespace", c.Temporal.Namespace, "retention", c.Temporal.Retention)
	if !valid {
		return Prepared{}, nil
	}
	return Prepared{AdminTokenFile: c.AdminTokenFile()}, nil
}

// ensureKeyset makes the keyset of a new installation. On a further host it has to be the first one's: what that has sealed
// opens with nothing else.
func ensureKeyset(ctx context.Context, store *postgres.Store, c config.Postgres) error {
	inUse, err := store.HasTokens(ctx) // asked first: another process makes the keyset, and then the first token
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Keyset); inUse && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keyset %s is missing, and the database belongs to an installation that has one: copy the file "+
			"from a host that has it, or from a backup", c.Keyset)
	}
	_, err = openKeyset(ctx, c)
	return err
}

// awaitStore brings the schema up to date and opens the store, once Postgres answers.
func awaitStore(ctx context.Context, c config.Postgres, log *slog.Logger) (*postgres.Store, error) {
	tick := time.NewTicker(knock)
	defer tick.Stop()
	for told := false; ; told = true {
		store, err := openStore(ctx, c.URL, postgres.Options{}, postgres.Migrate)
		if err == nil || !postgres.Unreachable(err) {
			return store, err
		}
		if !told {
			log.Info("waiting for postgres", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

func prepareNamespace(ctx context.Context, c config.Temporal, log *slog.Logger) error {
	client, err := sdkclient.NewLazyClient(temporalOptions(c, log))
	if err != nil {
		return fmt.Errorf("connect to temporal at %s: %w", c.Addr, err)
	}
	defer client.Close()
	spec := namespace.Spec{Name: c.Namespace, Retention: c.Retention, SearchAttributes: temporal.SearchAttributes()}
	if err := namespace.Prepare(ctx, client, spec); err != nil {
		return fmt.Errorf("temporal at %s: %w", c.Addr, err)
	}
	return nil
}
