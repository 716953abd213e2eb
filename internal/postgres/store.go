package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// The channels that the schema's triggers notify.
const (
	ChannelDeployment = "slipway_deployment" // payload: id of the deployment whose status, step or log changed
	ChannelRoutes     = "slipway_routes"     // payload: host name whose route may have changed
	ChannelLeases     = "slipway_leases"     // payload: id of the environment whose lease has changed
)

// Cipher encrypts what is secret before it reaches a table. aad binds the result to its place: decrypting it with another
// one is an error.
type Cipher interface {
	Encrypt(plain, aad []byte) ([]byte, error)
	Decrypt(sealed, aad []byte) ([]byte, error)
}

// Options are what a Store needs besides a database.
type Options struct {
	PreviewDomain string        // the domain under which host names of previews and environments are made
	Cipher        Cipher        // for the values of env vars and git credentials; nil for a role that never reads or writes them
	PreviewTTL    time.Duration // how long what goes live may run, but for production; 0 for ever
}

// Store reads and writes projects, deployments and the ledger. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	q       *db.Queries
	options Options
}

// connectTimeout ends the wait for a host that swallows packets, unless the DSN says connect_timeout: a caller is told then
// that Postgres is away.
const connectTimeout = 5 * time.Second

// Open connects to the database at dsn, whose schema Migrate has brought up to date.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	store, err := OpenLater(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	if err := store.Ping(ctx); err != nil {
		store.Close()
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	return store, nil
}

// OpenLater returns a Store on a database that need not answer yet.
func OpenLater(ctx context.Context, dsn string, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	return New(pool, o), nil
}

// New returns a Store on a pool that the caller has opened; Close closes it.
func New(pool *pgxpool.Pool, o Options) *Store {
	return &Store{pool: pool, q: db.New(pool), options: o}
}

// WithPreviewTTL returns the same store for who knows how long previews may run.
func (s *Store) WithPreviewTTL(ttl time.Duration) *Store {
	with := *s
	with.options.PreviewTTL = ttl
	return &with
}

// Pool returns the connections, for the adapters that share them.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close closes the connections once what is under way has ended.
func (s *Store) Close() { s.pool.Close() }

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

func (s *Store) inTx(ctx context.Context, do func(q *db.Queries) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return do(db.New(tx)) })
}

// at puts what was asked for before err, says of a server that does not answer that it is away, and turns "no rows" into
// deployment.ErrNotFound. What is to begin in a deleted environment finds no environment either.
func at(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if Unreachable(err) {
		return deployment.AwayFailure(deployment.ComponentPostgres, "postgres.unavailable",
			"check that Postgres runs and takes connections", "%s: %w", fmt.Sprintf(format, args...), err)
	}
	refusal, refused := errors.AsType[*pgconn.PgError](err)
	if errors.Is(err, pgx.ErrNoRows) || refused && refusal.ConstraintName == "deployments_environment_stands" {
		err = deployment.ErrNotFound
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// isID reports whether id can be in a column of ids; everything else is not found rather than an error of the database.
func isID(id string) bool { return len(id) == 36 && uuid.Validate(id) == nil }

func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return id.String(), nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
