package chaos_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// The disk of the checkouts becomes low, once by what the worker can remove and once by what it cannot: slots close, what
// builds goes on, what waits says why, and goes on when somebody has made room.
func TestDiskLow_BuildsWaitUntilThereIsRoom(t *testing.T) {
	workspaces := smallDisk(t)
	stray := filepath.Join(workspaces, uuid.NewString()) // a deployment's that was deleted long ago
	// The worker has just begun, and clears the folder up once, maybe under our hands.
	require.Eventually(t, func() bool {
		return os.MkdirAll(stray, 0o700) == nil && os.WriteFile(filepath.Join(stray, "big"), make([]byte, 200<<20), 0o600) == nil
	}, repaired, tick)
	require.Eventually(t, func() bool { _, err := os.Stat(stray); return os.IsNotExist(err) }, repaired, tick, "it is removed to make room")
	awaitSlots(t, "free", 16)

	building := newApp(t, "disk-building", nil, 0)
	underWay, let := heldByFile("plan", "plan", "")(t, building)
	giveBack := take(t, workspaces, 200<<20)
	awaitSlots(t, "closed", 15)
	require.Contains(t, readyz(t), `"disk":{"status":"unavailable","reason":"host chaos: `)
	let()
	awaitStatus(t, underWay, "ready")
	requireInvariants(t, building, underWay)

	waiting := newApp(t, "disk-waiting", nil, 0)
	id := waiting.deploy(t)
	d := await(t, id, "waiting for disk space", ofADeploy, func(d client.Deployment) bool {
		return d.Step != nil && d.Step.WaitingFor != nil && strings.HasPrefix(*d.Step.WaitingFor, "disk space on host chaos (")
	})
	require.Equal(t, "queued", string(d.Status))
	require.Equal(t, 1, *d.Step.QueuePosition)
	awaitSlots(t, "closed", 16)

	giveBack()
	awaitStatus(t, id, "ready")
	requireInvariants(t, waiting, id)
	awaitSlots(t, "free", 16)
	require.Contains(t, readyz(t), `"disk":{"status":"ok"}`)
}

// smallDisk puts the checkouts, of which there are none now, on a file system of 256 MiB.
func smallDisk(t *testing.T) (folder string) {
	t.Helper()
	folder = in.path("data/workspaces")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256m"))
	t.Cleanup(func() {
		require.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH))
		restartWorker(t)
	})
	restartWorker(t)
	return folder
}

// restartWorker lets the worker begin anew in its folder, which another disk lies over now.
func restartWorker(t *testing.T) {
	t.Helper()
	require.NoError(t, in.part("worker").kill())
	require.NoError(t, in.part("worker").start(context.Background())) // it outlives the test
}

// take takes bytes of a folder's file system, in a file that nobody finds, until they are given back.
func take(t *testing.T, folder string, bytes int64) (giveBack func()) {
	t.Helper()
	file, err := os.CreateTemp(folder, "")
	require.NoError(t, err)
	require.NoError(t, os.Remove(file.Name()))
	t.Cleanup(func() { file.Close() })
	require.NoError(t, syscall.Fallocate(int(file.Fd()), 0, 0, bytes))
	return func() { require.NoError(t, file.Close()) }
}

// awaitSlots waits until the worker's host has so many build slots in a state, as the metrics say.
func awaitSlots(t *testing.T, state string, n int) {
	t.Helper()
	want := `slipway_build_slots{host="` + hostID + `",state="` + state + `"} ` + fmt.Sprint(n) + "\n"
	require.Eventually(t, func() bool { return strings.Contains(ask(t.Context(), in.ops[0], "/metrics"), want) }, repaired, tick, want)
}

func readyz(t *testing.T) string {
	t.Helper()
	return ask(t.Context(), in.ops[1], "/readyz")
}

// ask reads what a role tells operators, whatever its status.
func ask(ctx context.Context, addr, path string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(answer)
}
