package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestCensus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	empty, err := b.Census(t.Context())
	require.NoError(t, err)
	require.Empty(t, empty.Deployments)
	require.Zero(t, empty.OldestQueued)

	p := b.project("app")
	d := b.deploy(p, "production")
	b.deploy(p, "branch/a")
	require.NoError(t, b.SeenHost(t.Context(), "b1", []string{"build", "preview"}, 4))
	require.NoError(t, b.SeenHost(t.Context(), "p1", []string{"preview"}, 0))
	require.NoError(t, b.SeenHost(t.Context(), "gone", []string{"build"}, 8))
	_, err = b.Pool().Exec(t.Context(), "UPDATE hosts SET last_seen_at = now() - interval '1 hour' WHERE id = 'gone'")
	require.NoError(t, err)
	require.NoError(t, b.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceLease, Name: d.ID, Host: "b1", DeploymentID: d.ID}))
	_, err = b.Pool().Exec(t.Context(), "UPDATE deployments SET admitted_at = now() - interval '10 minutes' WHERE id = $1", d.ID)
	require.NoError(t, err)
	_, err = b.Pool().Exec(t.Context(), "INSERT INTO previews VALUES ($1, 'b1', 'c', 'c', 'n', 'a', 'live')", d.ID)
	require.NoError(t, err)

	c, err := b.Census(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[deployment.Status]int{deployment.StatusQueued: 2}, c.Deployments)
	require.Equal(t, map[deployment.PreviewState]int{deployment.PreviewLive: 1}, c.Previews)
	require.Equal(t, []deployment.HostSlots{{Host: "b1", Slots: 4, Used: 1}}, c.Slots)
	require.NoError(t, b.CloseSlots(t.Context(), "b1", "disk space on host b1"))
	c, err = b.Census(t.Context())
	require.NoError(t, err)
	require.Equal(t, []deployment.HostSlots{{Host: "b1", Slots: 4, Used: 1, Closed: true}}, c.Slots)
	require.InDelta(t, (10 * time.Minute).Seconds(), c.OldestQueued.Seconds(), 60)
}
