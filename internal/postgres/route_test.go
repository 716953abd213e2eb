package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestListenRoutes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	begun, changed, done := make(chan struct{}, 10), make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		b.ListenRoutes(ctx, slog.New(slog.DiscardHandler), func() { begun <- struct{}{} }, func(host string) { changed <- host })
	}()
	within := time.After(10 * time.Second)
	receive := func() string {
		select {
		case host := <-changed:
			return host
		case <-within:
			t.Fatal("no word of a route")
			return ""
		}
	}
	<-begun
	p := b.project("app")
	d := b.deploy(p, "production")
	require.ElementsMatch(t, []string{d.PreviewHost, d.EnvHost}, []string{receive(), receive()})

	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
	<-begun // it listens again, and says that words may have been missed
	again := b.deploy(p, "branch/a")
	require.ElementsMatch(t, []string{again.PreviewHost, again.EnvHost}, []string{receive(), receive()})
	cancel()
	<-done
}
