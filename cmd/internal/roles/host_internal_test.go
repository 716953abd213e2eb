package roles

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// A host that is busy with its previews, here for ever, since the engine starts none, still lives: silence would have its
// deploys moved to others. And one preview that does not start keeps no other waiting.
func TestTend_BusyHostLives(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	for _, name := range []string{"one", "two"} {
		goLive(t, store, name)
	}
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	starts := make(chan struct{}, 2)
	hangs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/start") {
			starts <- struct{}{}
			<-r.Context().Done()
		}
		w.Header().Set("Api-Version", "1.43")
		fmt.Fprint(w, `{"NCPU": 2, "State": {}}`) // of the engine, and of a container that does not run
	})}
	go func() { _ = hangs.Serve(listener) }()
	defer hangs.Close()
	engine, err := docker.New(docker.Options{Host: "unix://" + socket, Installation: "test", HostID: "host-1"})
	require.NoError(t, err)
	c := config.WorkerRole{}
	c.Worker.HostID, c.Timeouts.HostSeen, c.Timeouts.Reconcile = "host-1", 20*time.Millisecond, time.Hour
	h := &host{WorkerParts: WorkerParts{Store: store, Log: slog.New(slog.DiscardHandler)}, c: c, engine: engine, builder: &buildkit.Pool{}, outputs: &activities.Outputs{}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.tend(ctx) }()
	for range 2 { // neither has been answered
		select {
		case <-starts:
		case <-time.After(time.Minute):
			require.FailNow(t, "the previews are started one after the other")
		}
	}
	begun := lastSeen(t, store)
	require.Eventually(t, func() bool { return lastSeen(t, store).After(begun) }, time.Minute, 20*time.Millisecond)
	stop()
	<-ended
}

func lastSeen(t *testing.T, store *postgres.Store) (at time.Time) {
	t.Helper()
	require.NoError(t, store.Pool().QueryRow(t.Context(), "SELECT coalesce(max(last_seen_at), 'epoch') FROM hosts WHERE id = 'host-1'").Scan(&at))
	return at
}

// goLive takes a deployment of a new project all the way, on host-1.
func goLive(t *testing.T, store *postgres.Store, name string) {
	t.Helper()
	p, err := store.CreateProject(t.Context(), deployment.Project{Name: name, RepoURL: "https://git.example.com/app"}.WithDefaults())
	require.NoError(t, err)
	d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.NoError(t, err)
	require.NoError(t, store.BeginRun(t.Context(), d.ID, d.RunID, "run-1"))
	for _, step := range deployment.Steps() {
		require.NoError(t, store.StepStarted(t.Context(), deployment.StepAttempt{DeploymentID: d.ID, RunID: "run-1", Step: step, Attempt: 1, Host: "host-1"}, time.Now()))
	}
	_, err = store.SwitchRoute(t.Context(), "run-1", deployment.Preview{
		DeploymentID: d.ID, Host: "host-1", ContainerID: "c-" + name, Container: "slipway-" + name, Network: "net-" + name,
		Address: "172.18.0.2:3000", State: deployment.PreviewStarting,
	})
	require.NoError(t, err)
}
