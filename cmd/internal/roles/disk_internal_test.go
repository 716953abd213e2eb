package roles

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/disk"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/metrics"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/worker"
)

const mib = 1 << 20

// closet is a build host whose workspaces lie on a file system of 16 MiB, 4 of which have to be free. Its buildkitd is on
// another machine.
func closet(t *testing.T) *host {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", root, "tmpfs", 0, "size=16m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(root, syscall.MNT_DETACH)) })
	quiet := slog.New(slog.DiscardHandler)
	engine, err := docker.New(docker.Options{Installation: "test", HostID: "closet", Logger: quiet})
	require.NoError(t, err)
	builder, err := buildkit.NewPool(t.Context(), buildkit.Options{}, []string{"tcp://127.0.0.1:1"}, quiet)
	require.NoError(t, err)
	h := &host{
		WorkerParts: WorkerParts{
			Store: postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"}), Log: quiet, Telemetry: &Telemetry{Metrics: metrics.New("1")},
		},
		c:          config.WorkerRole{Worker: config.Worker{HostID: "closet", BuildSlots: 2}},
		workspaces: activities.Workspaces{Root: root}, mirrors: source.NewMirrors(filepath.Join(root, "mirrors"), 1<<30), engine: engine, builder: builder,
	}
	h.leases = worker.NewLeaseSlots(func(context.Context) (int, error) { return 0, nil }, 2, time.Hour, quiet)
	h.room.watch = disk.Watch{Folders: []string{root}, Least: 4 * mib}
	h.noteAlive(t.Context())
	t.Cleanup(func() { require.NoError(t, engine.Close()); require.NoError(t, builder.Close()) })
	return h
}

// take leaves so much free, in a file that no sweep finds, until the returned function gives it back.
func (h *host) take(t *testing.T, free int64) (giveBack func()) {
	t.Helper()
	file, err := os.CreateTemp(h.workspaces.Root, "")
	require.NoError(t, err)
	require.NoError(t, os.Remove(file.Name()))
	_, err = file.Write(make([]byte, 16*mib-free))
	require.NoError(t, err)
	return func() { require.NoError(t, file.Close()) }
}

func (h *host) slotsNow(t *testing.T) deployment.HostSlots {
	t.Helper()
	census, err := h.Store.Census(t.Context())
	require.NoError(t, err)
	require.Len(t, census.Slots, 1)
	return census.Slots[0]
}

func TestDisk_SlotsCloseAndOpen(t *testing.T) {
	t.Parallel()
	h := closet(t)
	require.Nil(t, h.lookAtDisk(t.Context()))
	require.NoError(t, h.closed())
	giveBack := h.take(t, 2*mib)
	require.NotNil(t, h.lookAtDisk(t.Context()))
	require.Equal(t, deployment.HostSlots{Host: "closet", Slots: 2, Closed: true}, h.slotsNow(t))
	require.Equal(t, "disk space on host closet (2 MB free of 4.39 MB needed)", h.reason())
	failure := deployment.AsFailure(h.closed())
	require.Equal(t, "host.disk_low", failure.Code)
	require.Equal(t, deployment.ClassPlatform, failure.Class)
	require.Equal(t, "host closet: 2 MB free of 4.39 MB needed in "+h.workspaces.Root, failure.Message)
	h.noteAlive(t.Context())
	require.True(t, h.slotsNow(t).Closed)

	giveBack()
	require.Nil(t, h.lookAtDisk(t.Context()))
	require.NoError(t, h.closed())
	require.False(t, h.slotsNow(t).Closed)
}

// What is of no use to anybody is removed as soon as there is too little room, and no more is done than has to be.
func TestDisk_RoomIsMadeAtOnce(t *testing.T) {
	t.Parallel()
	h := closet(t)
	stray := filepath.Join(h.workspaces.Root, uuid.NewString())
	require.NoError(t, os.Mkdir(stray, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(stray, "big"), make([]byte, 13*mib), 0o600))
	asked := make(chan struct{}, 10)
	release := make(chan struct{})
	h.MakeRoom = func(context.Context) error { asked <- struct{}{}; <-release; return nil }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { h.watchDisk(ctx); close(ended) }()
	require.Eventually(t, func() bool { _, err := os.Stat(stray); return os.IsNotExist(err) && h.closed() == nil }, time.Minute, 10*time.Millisecond)
	require.Empty(t, asked, "there is room already")
	require.Eventually(t, func() bool { return !h.slotsNow(t).Closed }, time.Minute, 10*time.Millisecond)

	giveBack := h.take(t, 2*mib)
	<-asked
	require.Error(t, h.closed())
	giveBack()
	require.Eventually(t, func() bool { return h.closed() == nil }, time.Minute, 10*time.Millisecond, "somebody was quicker")
	close(release)
	stop()
	<-ended
}
