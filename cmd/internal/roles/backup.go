package roles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/privatefile"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// BackupOptions are what a backup needs besides what it copies.
type BackupOptions struct {
	Version     string   // of slipway
	Environ     []string // where the settings come from
	WithoutLogs bool
	Tell        func(text string) // about what takes long, and what is left out
}

// Backup writes a backup of the installation while it runs: the database at one moment, the keys that open its secrets, the
// settings without passwords, and the list of the images that live environments and rollbacks need.
func Backup(ctx context.Context, m config.Dev, store *postgres.Store, into io.Writer, o BackupOptions) (done backup.Manifest, err error) {
	keyset, err := openKeyset(ctx, m.Postgres)
	if err != nil {
		return done, err
	}
	held, err := keyset.Hold(ctx)
	if err != nil {
		return done, err
	}
	release := sync.OnceFunc(held)
	defer release()
	err = store.Snapshot(ctx, func(s *postgres.Snapshot) error {
		keys, err := keysOf(ctx, keyset, s)
		if err != nil {
			return err
		}
		release() // the copy of the keys fits the snapshot, whatever becomes of either
		w := backup.NewWriter(into, backup.Manifest{
			Version: o.Version, Schema: s.Schema, Installation: s.Installation, TakenAt: s.TakenAt, PreviewDomain: m.Gateway.Domain,
			WithoutLogs: o.WithoutLogs,
		})
		if err := w.Add(backup.Keyset, keys); err != nil {
			return err
		}
		if err := addSettings(w, m, o); err != nil {
			return err
		}
		if err := addImages(ctx, w, s); err != nil {
			return err
		}
		if err := addTables(ctx, w, s, o); err != nil {
			return err
		}
		done, err = w.Finish()
		return err
	})
	if err != nil {
		return done, fmt.Errorf("back up: %w", err)
	}
	return done, nil
}

// keysOf copies the keyset. A backup with secrets that its keys do not open is none.
func keysOf(ctx context.Context, keyset *secrets.Keyset, s *postgres.Snapshot) ([]byte, error) {
	if _, err := keyUses(ctx, keyset, s); err != nil {
		return nil, err
	}
	keys, _, err := privatefile.Read(keyset.Path())
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	return keys, nil
}

// addSettings adds what people read who set up the next machine.
func addSettings(w *backup.Writer, m config.Dev, o BackupOptions) error {
	settings, err := config.InForce(o.Environ)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	text.WriteString("# The settings that the backup was made with, to be read by people: a restore sets none. Defaults are comments,\n" +
		"# passwords are left out.\n")
	for _, s := range settings {
		if !s.Given {
			text.WriteString("# ")
		}
		fmt.Fprintf(&text, "%s=%s\n", s.Variable, s.Value)
	}
	if err := w.Add(backup.Configuration, text.Bytes()); err != nil || m.Planner.Overrides == "" {
		return err
	}
	overrides, err := os.ReadFile(m.Planner.Overrides)
	if errors.Is(err, fs.ErrNotExist) {
		o.Tell("left out, since it is not on this machine: " + m.Planner.Overrides)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read plan overrides: %w", err)
	}
	return w.Add(backup.PlanOverrides, overrides)
}

func addImages(ctx context.Context, w *backup.Writer, s *postgres.Snapshot) error {
	images, err := s.Images(ctx)
	if err != nil {
		return err
	}
	list, err := json.MarshalIndent(images, "", "  ")
	if err != nil {
		return fmt.Errorf("encode list of images: %w", err)
	}
	return w.Add(backup.Images, list)
}

func addTables(ctx context.Context, w *backup.Writer, s *postgres.Snapshot, o BackupOptions) error {
	tables, err := s.Tables(ctx, !o.WithoutLogs)
	if err != nil {
		return err
	}
	for _, t := range tables {
		err := w.AddTable(backup.Table{Name: t.Name, Columns: t.Columns}, func(into io.Writer) (int64, error) {
			return s.CopyOut(ctx, t, &meter{Writer: into, what: "table " + t.Name, tell: o.Tell, told: time.Now()})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellEvery is how often something long says how far it is.
const tellEvery = 3 * time.Second

// meter tells how much went through a writer.
type meter struct {
	io.Writer
	what string
	tell func(string)
	told time.Time
	n    int64
}

// Write counts.
func (w *meter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n += int64(n)
	if time.Since(w.told) >= tellEvery {
		w.told = time.Now()
		w.tell(fmt.Sprintf("%s: %d MB so far", w.what, w.n>>20))
	}
	return n, err
}
