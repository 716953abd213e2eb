package postgres

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// Dump is a backup of a database: what a Snapshot gave.
type Dump struct {
	Schema      int
	TakenAt     time.Time
	WithoutLogs bool
	Tables      []Table
	Rows        map[string]int64 // by table
	Open        func(table string) (io.ReadCloser, error)
}

// RestoreOptions say what a restore may take for granted.
type RestoreOptions struct {
	HostsRemain bool         // the hosts of the backup are still there, and what they hold is theirs to remove
	Last        func() error // called when only the commit is left to do
}

// Restored is what a restore has done besides.
type Restored struct {
	Ended   int      // deployments that were under way, and are failed now, or canceled
	Again   int      // live environments, of each of which a deployment is queued
	LeftOut []string // tables of the backup that are not slipway's
}

// migratorLock is the lock that tern takes to migrate. A restore has it to its end: whoever migrates meanwhile would wait for its
// tables while it waits for theirs.
const migratorLock = int64(9628173550095224)

// Restore fills an empty database from a backup and brings it up to date, all in one transaction. Then it makes the rows true
// for another machine: nothing runs any more, what was under way has failed, what was live is to be deployed again.
func (s *Store) Restore(ctx context.Context, d Dump, o RestoreOptions) (done Restored, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return done, at(err, "restore")
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", migratorLock); err != nil {
			return err
		}
		done, err = s.restore(ctx, tx, d, o)
		return err
	})
	if err != nil {
		conn.Conn().Close(context.WithoutCancel(ctx)) // it may hold the migrator's lock still
	}
	return done, at(err, "restore")
}

func (s *Store) restore(ctx context.Context, tx pgx.Tx, d Dump, o RestoreOptions) (done Restored, err error) {
	before, err := tablesOf(ctx, tx) // those of others
	if err != nil {
		return done, err
	}
	m, err := migratorIn(ctx, tx)
	if err != nil {
		return done, err
	}
	if err := notNewer(int32(d.Schema), len(m.Migrations)); err != nil { //nolint:gosec // a small number
		return done, err
	}
	if err := m.MigrateTo(ctx, int32(d.Schema)); err != nil { //nolint:gosec // likewise
		return done, fmt.Errorf("make schema %d: %w", d.Schema, err)
	}
	if done.LeftOut, err = load(ctx, tx, d, before); err != nil {
		return done, err
	}
	if err := m.Migrate(ctx); err != nil {
		return done, fmt.Errorf("migrate: %w", err)
	}
	if err := s.settle(ctx, db.New(tx), d, o, &done); err != nil {
		return done, err
	}
	return done, o.Last()
}

// migratorIn returns a migrator that works inside of a transaction, on a database without a schema of slipway's.
func migratorIn(ctx context.Context, tx pgx.Tx) (*migrate.Migrator, error) {
	m, err := newMigrator(ctx, tx.Conn(), &migrate.MigratorOptions{DisableTx: true})
	if err != nil {
		return nil, err
	}
	version, err := m.GetCurrentVersion(ctx)
	if err == nil && version != 0 {
		err = deployment.UserFailure("restore.not_empty",
			"restore into a database without a schema, before `slipway migrate`; with slipway-dev into an empty data directory (SLIPWAY_DATA_DIR), before its first start",
			"the database belongs to an installation already: its schema has version %d", version)
	}
	return m, err
}

// settle makes the rows true after a restore.
func (s *Store) settle(ctx context.Context, q *db.Queries, d Dump, o RestoreOptions, done *Restored) error {
	if err := forgetHosts(ctx, q, o.HostsRemain); err != nil {
		return err
	}
	live, err := q.WasLive(ctx)
	if err != nil {
		return err
	}
	ended, err := endAll(ctx, q, d.TakenAt)
	if err != nil {
		return err
	}
	if err := q.NothingIsLive(ctx); err != nil {
		return err
	}
	for _, was := range live {
		if err := s.bringBack(ctx, q, was); err != nil {
			return fmt.Errorf("bring environment %s back: %w", was.Environment, err)
		}
	}
	done.Ended, done.Again = len(ended), len(live)
	return q.PutLast(ctx, ended)
}

// forgetHosts gives up what only the hosts of the backup had.
func forgetHosts(ctx context.Context, q *db.Queries, remain bool) error {
	if err := q.ForgetHeld(ctx, remain); err != nil {
		return err
	}
	if err := q.StopPreviews(ctx); err != nil || remain {
		return err
	}
	return q.ForgetHosts(ctx)
}

// endAll ends what was under way: its workflows are gone.
func endAll(ctx context.Context, q *db.Queries, taken time.Time) ([]string, error) {
	rows, err := q.NotEnded(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		outcome := deployment.StatusFailed
		switch {
		case deployment.Status(row.Status) == deployment.StatusCanceling && row.SupersededBy != nil:
			outcome = deployment.StatusSuperseded
		case deployment.Status(row.Status) == deployment.StatusCanceling:
			outcome = deployment.StatusCanceled
		}
		failure := deployment.PlatformFailure("deploy.restored", "retry it, unless something newer is wanted by now",
			"the installation was restored from a backup of %s, in which this deployment was under way", taken.UTC().Format("2006-01-02 15:04:05 MST"))
		ids[i] = row.ID
		if err := endDeployment(ctx, q, row.ID, outcome, failure); err != nil {
			return nil, fmt.Errorf("end deployment %s: %w", row.ID, err)
		}
	}
	return ids, nil
}

// bringBack queues a deployment of what was live. The reconciler starts it, as it does all that nobody has started.
func (s *Store) bringBack(ctx context.Context, q *db.Queries, was db.WasLiveRow) error {
	id, err := s.insertDeployment(ctx, q, deployment.NewDeployment{Project: deployment.Project{ID: was.ProjectID}, Environment: was.Environment})
	if err != nil {
		return err
	}
	return q.BringBack(ctx, db.BringBackParams{ID: id, Source: was.DeploymentID})
}

// load copies the tables of a dump into those that the migrations have made.
func load(ctx context.Context, tx pgx.Tx, d Dump, others []Table) (leftOut []string, err error) {
	made, err := tablesOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	made = slices.DeleteFunc(made, func(t Table) bool { return slices.ContainsFunc(others, t.named) })
	if leftOut, err = compare(ctx, tx, d, made); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, plainText); err != nil {
		return nil, err
	}
	attach, err := detach(ctx, tx, made)
	if err != nil {
		return nil, fmt.Errorf("put foreign keys aside: %w", err)
	}
	for _, t := range d.Tables {
		if slices.Contains(leftOut, t.Name) {
			continue
		}
		if err := copyIn(ctx, tx, d, t); err != nil {
			return nil, fmt.Errorf("fill table %s: %w", t.Name, err)
		}
	}
	if err := attach(); err != nil {
		return nil, fmt.Errorf("put foreign keys back: %w", err)
	}
	return leftOut, countOn(ctx, tx, made)
}

// compare looks for tables of the dump that the schema does not have, and refuses one that lacks tables of the schema.
func compare(ctx context.Context, tx pgx.Tx, d Dump, made []Table) (leftOut []string, err error) {
	for _, t := range d.Tables {
		if !slices.ContainsFunc(made, t.named) {
			leftOut = append(leftOut, t.Name)
		}
	}
	needed := slices.Clone(made)
	if d.WithoutLogs {
		if needed, err = withoutLogs(ctx, tx, needed); err != nil {
			return nil, err
		}
	}
	for _, t := range needed {
		if !slices.ContainsFunc(d.Tables, t.named) {
			return nil, deployment.UserFailure("restore.incomplete", "take another backup: nothing of this one was restored",
				"the backup has schema %d and lacks its table %s", d.Schema, t.Name)
		}
	}
	return leftOut, nil
}

func copyIn(ctx context.Context, tx pgx.Tx, d Dump, t Table) error {
	rows, err := d.Open(t.Name)
	if err != nil {
		return err
	}
	defer rows.Close()
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, rows, "COPY "+t.quoted()+" ("+t.columns()+") FROM STDIN")
	if err == nil && tag.RowsAffected() != d.Rows[t.Name] {
		err = fmt.Errorf("%d rows, and the backup says %d", tag.RowsAffected(), d.Rows[t.Name])
	}
	return err
}

func (t Table) named(other Table) bool { return t.Name == other.Name }
