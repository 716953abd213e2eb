package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// silence lets a host be one that was seen last an hour ago.
func (b bench) silence(id string) {
	b.t.Helper()
	require.NoError(b.t, b.SeenHost(b.t.Context(), id, []string{"build", "preview"}, 2))
	b.exec("UPDATE hosts SET last_seen_at = now() - interval '1 hour' WHERE id = $1", id)
}

func (b bench) owns(d deployment.Deployment, kind deployment.ResourceKind, host string) {
	b.t.Helper()
	require.NoError(b.t, b.Own(b.t.Context(), deployment.Resource{Kind: kind, Name: string(kind) + "-" + d.ID, Host: host, DeploymentID: d.ID, RunID: "run"}))
}

func (b bench) hosts() map[string]deployment.Host {
	b.t.Helper()
	list, err := b.Hosts(b.t.Context())
	require.NoError(b.t, err)
	hosts := map[string]deployment.Host{}
	for _, h := range list {
		hosts[h.ID] = h
	}
	return hosts
}

func TestHosts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.silence("host-1")
	require.NoError(t, b.SeenHost(t.Context(), "host-2", []string{"build"}, 3))
	d := b.deploy(b.project("app"), "production")
	b.live(d, "run")
	b.owns(d, deployment.ResourceLease, "host-2")
	b.owns(d, deployment.ResourceWorkspace, "host-0") // forgotten, and something still names it

	hosts := b.hosts()
	require.Len(t, hosts, 3)
	require.WithinDuration(t, time.Now().Add(-time.Hour), *hosts["host-1"].LastSeenAt, time.Minute)
	hosts["host-1"] = deployment.Host{ID: "host-1", Roles: hosts["host-1"].Roles, Slots: 2, Previews: hosts["host-1"].Previews}
	require.Equal(t, deployment.Host{ID: "host-1", Roles: []string{"build", "preview"}, Slots: 2, Previews: 1}, hosts["host-1"])
	require.True(t, hosts["host-2"].Alive)
	require.Equal(t, 1, hosts["host-2"].SlotsUsed)
	require.Equal(t, deployment.Host{ID: "host-0", Roles: []string{}, Things: 1}, hosts["host-0"])
}

func TestForgetHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.silence("host-1")
	p := b.project("app")
	live, replaced := b.shown(p, "production", "sha256:1"), b.deploy(p, "branch/a")
	b.live(replaced, "run")
	newest := b.deploy(p, "branch/a")
	b.live(newest, "run")
	b.exec("UPDATE previews SET host = 'host-2' WHERE deployment_id = $1", newest.ID)
	for _, kind := range []deployment.ResourceKind{deployment.ResourceLease, deployment.ResourceWorkspace, deployment.ResourceContainer} {
		b.owns(live, kind, "host-1")
	}
	b.owns(newest, deployment.ResourceContainer, "host-2")

	forgotten, err := b.ForgetHost(t.Context(), "host-1")
	require.NoError(t, err)
	require.True(t, forgotten.Known)
	require.Equal(t, 3, forgotten.Things)
	require.Len(t, forgotten.Lost, 1)
	require.Equal(t, live.ID, forgotten.Lost[0].ID)
	require.Equal(t, "app", forgotten.Lost[0].ProjectName)
	require.Equal(t, "sha256:1", forgotten.Lost[0].ImageDigest)
	require.NotContains(t, b.hosts(), "host-1")
	require.Contains(t, b.hosts(), "host-2")
	owned, err := b.Owned(t.Context(), live.ID, "")
	require.NoError(t, err)
	require.Len(t, owned, 1, "its image is in the registry, on no host")
	route, err := b.Route(t.Context(), b.get(live.ID).PreviewHost)
	require.NoError(t, err)
	require.Equal(t, deployment.PreviewFailed, route.State)
	require.Empty(t, b.previewsOn("host-1"))
	require.Equal(t, []string{newest.ID}, b.previewsOn("host-2"))

	again, err := b.ForgetHost(t.Context(), "host-1")
	require.NoError(t, err)
	require.Equal(t, deployment.ForgottenHost{}, again)
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"build"}, 1))
	require.True(t, b.hosts()["host-1"].Alive, "it may come back")
}

func (b bench) previewsOn(host string) (ids []string) {
	b.t.Helper()
	previews, err := b.PreviewsOn(b.t.Context(), host)
	require.NoError(b.t, err)
	for _, p := range previews {
		ids = append(ids, p.DeploymentID)
	}
	return ids
}

func TestForgetHost_RefusesOneThatLives(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"build", "preview"}, 2))
	d := b.deploy(b.project("app"), "production")
	b.live(d, "run")
	b.owns(d, deployment.ResourceContainer, "host-1")
	_, err := b.ForgetHost(t.Context(), "host-1")
	require.ErrorIs(t, err, deployment.ErrHostLives)
	require.ErrorContains(t, err, "seen within the last 30s")
	require.Equal(t, 1, b.hosts()["host-1"].Things)
	require.Equal(t, []string{d.ID}, b.previewsOn("host-1"))
}

// Nothing that waits for the host is held up any longer.
func TestForgetHost_LetsADeletionEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.silence("host-1")
	p := b.project("app")
	d := b.deploy(p, "production")
	b.live(d, "run")
	b.owns(d, deployment.ResourceContainer, "host-1")
	b.remove(of(p))
	previews, _, err := b.HostsOf(t.Context(), of(p))
	require.NoError(t, err)
	require.Equal(t, []string{"host-1"}, previews)

	forgotten, err := b.ForgetHost(t.Context(), "host-1")
	require.NoError(t, err)
	require.Empty(t, forgotten.Lost, "what is deleted is not to be brought back")
	previews, builds, err := b.HostsOf(t.Context(), of(p))
	require.NoError(t, err)
	require.Empty(t, append(previews, builds...))
	require.NoError(t, b.Purge(t.Context(), of(p)))
}
