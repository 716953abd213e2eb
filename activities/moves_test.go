package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// startOn starts a preview on a host, as its lease does when another one is lost.
func (b *bench) startOn(host string, e activities.Engine, d deployment.Deployment) deployment.Preview {
	b.t.Helper()
	b.preview.HostID, b.preview.Engine = host, e
	started, err := b.act(d, b.preview.StartPreview)
	require.NoError(b.t, err)
	require.True(b.t, started.Done)
	p := b.standing(d).Preview
	require.Equal(b.t, deployment.PreviewLive, p.State)
	require.Equal(b.t, host, p.Host)
	return p
}

func (b *bench) sweep(host string, e activities.Engine) int {
	b.t.Helper()
	s := b.sweeper(host)
	s.Engine = e
	swept, err := s.Sweep(b.t.Context())
	require.NoError(b.t, err)
	return swept
}

// requireOn checks that a preview is all that an engine has, and that the ledger knows of it there.
func (b *bench) requireOn(p deployment.Preview, e activities.Engine) {
	b.t.Helper()
	list := func(all []deployment.Resource, err error) (names []string) {
		require.NoError(b.t, err)
		for _, r := range all {
			names = append(names, r.Name)
		}
		return names
	}
	require.ElementsMatch(b.t, []string{p.Container, p.Network}, list(e.Owned(b.t.Context())))
	require.ElementsMatch(b.t, []string{p.Container, p.Network},
		list(b.store.Owned(b.t.Context(), p.DeploymentID, p.Host, deployment.ResourceContainer, deployment.ResourceNetwork)))
}

// A host is lost with what is live on it, which is started on another. When it comes back it removes what it still holds, whether
// the ledger knows of that or it was forgotten meanwhile.
func TestSweep_AHostThatComesBackRemovesItsCopy(t *testing.T) {
	t.Parallel()
	for name, forgotten := range map[string]bool{"known": false, "forgotten": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.branchLive()
			first, second := b.engine, newEngine(b, "host-2")
			p := b.startOn("host-2", second, d)
			require.Len(t, first.running(), 1, "nobody could remove it")
			if forgotten {
				_, err := b.store.ForgetHost(t.Context(), hostID)
				require.NoError(t, err)
			}
			require.NotZero(t, b.sweep(hostID, first))
			require.Empty(t, first.running())
			require.Empty(t, first.networks)
			require.Zero(t, b.sweep("host-2", second))
			b.requireOn(p, second)

			back := b.startOn(hostID, first, d)
			require.NotEqual(t, p.Container, back.Container)
			require.NotZero(t, b.sweep("host-2", second))
			require.Zero(t, b.sweep(hostID, first))
			b.requireOn(back, first)
			require.Empty(t, second.running())
			require.Len(t, b.owned(d, deployment.ResourceContainer, deployment.ResourceNetwork), 2, "the rows of what is live")
		})
	}
}

// Two hosts share an engine: neither removes what is the other's.
func TestSweep_TwoHostsOnARealEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.onRealEngine()
	other := *e
	other.Engine = e.as(t, "host-2")
	d := b.branchLive()
	p := b.startOn("host-2", &other, d)
	requireAnswers(t, p)
	require.NotZero(t, b.sweep(hostID, e))
	requireAnswers(t, p)
	b.requireOn(p, e)

	p = b.startOn(hostID, e, d)
	_, err := b.store.ForgetHost(t.Context(), "host-2")
	require.NoError(t, err)
	require.Equal(t, 2, b.sweep(hostID, e), "whoever sees what no row knows of removes it")
	requireAnswers(t, p)
	b.requireOn(p, e)
}

// Somebody wants a preview again that was stopped or lost while its host was away, and its host is about to remove what is left of it.
func TestSweep_LeavesWhatIsBeingStartedAgain(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*bench, deployment.Deployment){
		"it was stopped": func(b *bench, d deployment.Deployment) {
			b.sql("UPDATE preview_leases SET wanted = 'stopped'")
			_, err := b.act(d, b.control.EndPreview)
			require.NoError(b.t, err)
			b.sql("UPDATE preview_leases SET wanted = 'running'")
		},
		"its host was forgotten": func(b *bench, _ deployment.Deployment) {
			_, err := b.store.ForgetHost(b.t.Context(), hostID)
			require.NoError(b.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.branchLive()
			was := b.standing(d).Preview
			leave(b, d)
			s := b.sweeper(hostID)
			s.Alone = func(ctx context.Context, id string) (func(), error) { // who begins a start is quicker
				if id == d.ID {
					_, err := b.store.BeginStart(ctx, was)
					require.NoError(t, err)
				}
				return b.preview.Alone(ctx, id)
			}
			_, err := s.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{was.Container}, b.engine.running())
			require.Len(t, b.engine.networks, 1)

			p := b.startOn(hostID, b.engine, d)
			require.Equal(t, was.ContainerID, p.ContainerID)
			b.sweep(hostID, b.engine)
			b.requireOn(p, b.engine)
		})
	}
}

// Who begins a start waits while something of the preview is being removed.
func TestStartPreview_WaitsForWhoRemoves(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branchLive()
	busy := 0
	b.engine.on("stop", func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := b.preview.Alone(ctx, d.ID)
		assert.ErrorIs(t, err, context.Canceled)
		busy++
		return nil
	})
	b.sql("UPDATE preview_leases SET wanted = 'stopped'")
	_, err := b.act(d, b.preview.StopPreview)
	require.NoError(t, err)
	require.Equal(t, 1, busy)

	stray := b.standing(d).Preview.Container
	b.engine.add(stray) // which an attempt that was given up as dead made late
	require.NotZero(t, b.sweep(hostID, b.engine))
	require.Equal(t, 2, busy)
	require.NoError(t, b.store.Own(t.Context(), deployment.Resource{Kind: deployment.ResourceContainer, Name: stray, Host: hostID, DeploymentID: d.ID}))
	require.NotZero(t, b.sweep(hostID, b.engine))
	require.Equal(t, 3, busy)
}
