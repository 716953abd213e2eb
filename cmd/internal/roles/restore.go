package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/privatefile"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// RestoreOptions are what a restore needs besides a backup.
type RestoreOptions struct {
	HostsRemain bool              // the hosts of the backup are still there
	Tell        func(text string) // about what takes long, and what is left out
	Log         *slog.Logger
}

// Restored is what Restore has done.
type Restored struct {
	postgres.Restored
	Token NewAdminToken
}

// Restore makes this machine the installation that a backup is of: in the database that the configuration names, which has to be
// empty, else in slipway-dev's own, for which the data directory has to be. The keys are put in place before what they open is
// committed; killed anywhere, all of it is there or nothing but a keyset, and the next call begins anew.
func Restore(ctx context.Context, m config.Dev, b *backup.Backup, o RestoreOptions) (done Restored, err error) {
	keys, err := b.Read(backup.Keyset)
	if err != nil {
		return done, err
	}
	if err := hasKeys(m.Postgres.Keyset, keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, denied(err)
	}
	if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
		return done, denied(err)
	}
	restore := func(dsn string) error {
		done, err = restoreInto(ctx, m, dsn, b, keys, o)
		return err
	}
	if m.Postgres.URL != "" {
		err = restore(m.Postgres.URL)
	} else {
		err = withOwnPostgres(ctx, m, o.Log, restore)
	}
	return done, denied(err)
}

func restoreInto(ctx context.Context, m config.Dev, dsn string, b *backup.Backup, keys []byte, o RestoreOptions) (done Restored, err error) {
	store, err := postgres.Open(ctx, dsn, postgres.Options{PreviewDomain: m.Gateway.Domain})
	if err != nil {
		return done, err
	}
	defer store.Close()
	done.Restored, err = store.Restore(ctx, dumpOf(b, o.Tell), postgres.RestoreOptions{
		HostsRemain: o.HostsRemain, Last: func() error { return installKeys(m.Postgres.Keyset, keys) },
	})
	if err != nil {
		return done, err
	}
	if done.Token, err = ReplaceAdminToken(ctx, store, m.DataDir, "admin", true); err != nil {
		err = fmt.Errorf("everything is restored, but no admin token was made; `slipway admin token` makes one: %w", err)
	}
	return done, err
}

// dumpOf is the database of a backup.
func dumpOf(b *backup.Backup, tell func(string)) postgres.Dump {
	d := postgres.Dump{Schema: b.Schema, TakenAt: b.TakenAt, WithoutLogs: b.WithoutLogs, Rows: map[string]int64{}}
	for _, t := range b.Tables {
		d.Tables = append(d.Tables, postgres.Table{Name: t.Name, Columns: t.Columns})
		d.Rows[t.Name] = t.Rows
	}
	d.Open = func(table string) (io.ReadCloser, error) {
		rows, err := b.Table(table)
		if err != nil {
			return nil, err
		}
		through := io.TeeReader(rows, &meter{Writer: io.Discard, what: "table " + table, tell: tell, told: time.Now()})
		return struct {
			io.Reader
			io.Closer
		}{through, rows}, nil
	}
	return d
}

// hasKeys reports whether a keyset file has the backup's keys, and maybe newer ones. Another one is never replaced: it may be all
// that opens something.
func hasKeys(path string, keys []byte) error {
	all, err := secrets.Holds(path, keys)
	if err == nil && !all {
		err = deployment.UserFailure("restore.other_keys",
			"restore into an empty data directory; or move the file away, once nothing needs what its keys have sealed",
			"keyset %s lacks keys of the backup", path)
	}
	return err
}

func installKeys(path string, keys []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	err := privatefile.Create(path, keys)
	if errors.Is(err, fs.ErrExist) {
		return hasKeys(path, keys)
	}
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	return nil
}
