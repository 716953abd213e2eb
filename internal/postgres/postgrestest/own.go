package postgrestest

import (
	"context"
	"syscall"
	"testing"

	"github.com/slipway-dev/slipway/internal/postgres"
)

// durable makes what was committed stand after Kill: the schema, and what a store wrote.
const durable = " options='-c synchronous_commit=on'"

// Own is a Postgres of one test's own, which the test may kill and start again.
type Own struct {
	tb     testing.TB
	server *server
}

// NewOwn starts a server for one test; it ends with the test.
func NewOwn(tb testing.TB) *Own {
	tb.Helper()
	s, err := startMigrated()
	if err != nil {
		tb.Fatalf("start postgres: %v", err)
	}
	tb.Cleanup(s.stop)
	return &Own{tb: tb, server: s}
}

// Open returns a store on the server's migrated database, opened as a process of slipway opens its own.
func (o *Own) Open(options postgres.Options) *postgres.Store {
	o.tb.Helper()
	store, err := postgres.Open(context.Background(), o.server.DSN(template)+durable, options)
	if err != nil {
		o.tb.Fatalf("open database: %v", err)
	}
	o.tb.Cleanup(store.Close)
	return store
}

// Kill ends the server at once: every connection is cut, and nothing listens.
func (o *Own) Kill() {
	o.tb.Helper()
	if err := o.server.command.Process.Signal(syscall.SIGQUIT); err != nil {
		o.tb.Fatalf("kill postgres: %v", err)
	}
	<-o.server.exited
}

// Start starts the killed server again, on the same data.
func (o *Own) Start() {
	o.tb.Helper()
	if err := o.server.start(); err != nil {
		o.tb.Fatalf("start postgres: %v", err)
	}
	if err := o.server.waitUntilReady(); err != nil {
		o.tb.Fatal(err)
	}
}
