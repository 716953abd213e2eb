package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
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
	within := time.After(time.Minute)
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

func TestRoutes_AreThoseOfWhatStands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	live := b.deploy(p, "production")
	b.live(live, "run-1")
	waiting := b.deploy(p, "branch/a")
	b.remove(deployment.Scope{ProjectID: p.ID, EnvironmentID: b.deploy(p, "branch/b").EnvironmentID})
	routes, err := b.Routes(t.Context())
	require.NoError(t, err)
	of := func(host string, stable bool) deployment.Route {
		return deployment.Route{
			Hostname: host, DeploymentID: live.ID, DeploymentNumber: live.Number, Project: "app", Environment: "production",
			EnvironmentID: live.EnvironmentID, Status: deployment.StatusReady, State: deployment.PreviewLive, Address: preview(live).Address, Stable: stable,
		}
	}
	for i := range routes {
		require.Equal(t, routes[i].State == deployment.PreviewLive, routes[i].LiveFor > 0)
		require.Less(t, routes[i].LiveFor, time.Minute)
		routes[i].LiveFor = 0
	}
	require.ElementsMatch(t, []deployment.Route{
		of(live.EnvHost, true), of(live.PreviewHost, false),
		{Hostname: waiting.EnvHost, Project: "app", EnvironmentID: waiting.EnvironmentID, Environment: "branch/a", Stable: true},
	}, routes)
}

func TestListenDeployments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	ctx, cancel := context.WithCancel(t.Context())
	begun, changed, done := make(chan struct{}, 10), make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		b.ListenDeployments(ctx, slog.New(slog.DiscardHandler), func() { begun <- struct{}{} }, func(id string) { changed <- id })
	}()
	<-begun
	require.NoError(t, b.StepStarted(t.Context(), attempt(d, "run", deployment.StepResolve), time.Now()))
	require.Equal(t, d.ID, <-changed)
	cancel()
	<-done
}
