package postgrestest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/slipway-dev/slipway/internal/postgres"
)

// shared is the cluster of this test binary: Main ends it, the first New starts it.
var shared struct {
	start  sync.Once
	inMain bool
	server *server
	err    error
	made   atomic.Int64 // databases
}

const template = "slipway_template"

// Main runs a package's tests and then ends the cluster, if any test has asked for it. It returns the exit code.
func Main(m *testing.M) int {
	shared.inMain = true
	defer func() {
		if shared.server != nil {
			shared.server.stop()
		}
	}()
	return m.Run()
}

// New returns connections to a fresh migrated database, which is dropped when the test ends.
func New(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	if !shared.inMain {
		tb.Fatal("postgrestest.New needs postgrestest.Main in TestMain")
	}
	shared.start.Do(func() { shared.server, shared.err = startMigrated() })
	if shared.err != nil {
		tb.Fatalf("start postgres: %v", shared.err)
	}
	name := fmt.Sprintf("test_%d", shared.made.Add(1))
	if err := shared.server.exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	pool, err := pgxpool.New(context.Background(), shared.server.DSN(name)+" pool_max_conns=10")
	if err != nil {
		tb.Fatalf("open database: %v", err)
	}
	tb.Cleanup(func() {
		pool.Close()
		if err := shared.server.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("drop database: %v", err)
		}
	})
	return pool
}

// NewEmpty returns connections to a fresh database without a schema.
func NewEmpty(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool := New(tb)
	if _, err := pool.Exec(context.Background(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		tb.Fatalf("empty database: %v", err)
	}
	return pool
}

// startMigrated starts the cluster and migrates the database that every test's is a copy of.
func startMigrated() (*server, error) {
	s, err := startCluster()
	if err != nil {
		return nil, err
	}
	if err := s.migrateTemplate(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) migrateTemplate() error {
	if err := s.exec("CREATE DATABASE " + template); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pool, err := pgxpool.New(ctx, s.DSN(template)+durable)
	if err != nil {
		return err
	}
	defer pool.Close()
	return postgres.Migrate(ctx, pool)
}

// exec runs one statement outside any test's database.
func (s *server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func removeAll(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintf(os.Stderr, "postgrestest: remove %s: %v\n", dir, err)
	}
}
