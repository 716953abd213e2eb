package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	d, other := b.deploy(p, "production"), b.deploy(p, "production")
	lease := deployment.Resource{Kind: deployment.ResourceLease, Name: d.ID, Host: "host-1", DeploymentID: d.ID, RunID: "run-1"}
	tag := deployment.Resource{Kind: deployment.ResourceImageTag, Name: "registry/app:1", DeploymentID: d.ID, RunID: "run-1"}
	container := deployment.Resource{Kind: deployment.ResourceContainer, Name: "c", Host: "host-2", DeploymentID: d.ID, RunID: "run-1"}
	for _, r := range []deployment.Resource{lease, tag, container} {
		require.NoError(t, b.Own(t.Context(), r))
		require.NoError(t, b.Own(t.Context(), r), "told twice")
	}
	owned := func(host string, kinds ...deployment.ResourceKind) []deployment.Resource {
		list, err := b.Owned(t.Context(), d.ID, host, kinds...)
		require.NoError(t, err)
		return list
	}
	require.Equal(t, []deployment.Resource{lease, tag, container}, owned(""))
	require.Equal(t, []deployment.Resource{lease}, owned("host-1"))
	require.Equal(t, []deployment.Resource{lease, tag}, owned("", deployment.ResourceLease, deployment.ResourceImageTag))
	require.Empty(t, owned("host-1", deployment.ResourceContainer))

	taken := lease
	taken.DeploymentID = other.ID
	require.Error(t, b.Own(t.Context(), taken), "what another deployment owns")
	require.NoError(t, b.Disown(t.Context(), taken))
	require.Len(t, owned("host-1"), 1, "nobody disowns another's")

	lease.RunID = "run-2"
	require.NoError(t, b.Own(t.Context(), lease))
	leases, err := b.OpenLeases(t.Context(), "host-1")
	require.NoError(t, err)
	require.Equal(t, []deployment.Resource{lease}, leases)
	require.NoError(t, b.Disown(t.Context(), lease))
	require.NoError(t, b.Disown(t.Context(), lease), "gone is gone")
	leases, err = b.OpenLeases(t.Context(), "host-1")
	require.NoError(t, err)
	require.Empty(t, leases)
}

func TestPreviewHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.PreviewHost(t.Context())
	require.Equal(t, deployment.ClassTransient, deployment.AsFailure(err).Class)

	require.NoError(t, b.SeenHost(t.Context(), "builder", []string{"build"}, 4))
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"build", "preview"}, 2))
	require.NoError(t, b.SeenHost(t.Context(), "host-2", []string{"preview"}, 0))
	chosen := func() string {
		id, err := b.PreviewHost(t.Context())
		require.NoError(t, err)
		return id
	}
	require.Equal(t, "host-1", chosen())
	d := b.deploy(b.project("app"), "production")
	require.NoError(t, b.SetPreview(t.Context(), "", preview(d))) // on host-1
	require.Equal(t, "host-2", chosen())
	b.exec("UPDATE hosts SET last_seen_at = now() - interval '5 minutes' WHERE id = 'host-2'")
	require.Equal(t, "host-1", chosen(), "host-2 is gone")
	require.NoError(t, b.SeenHost(t.Context(), "host-2", []string{"preview"}, 0))
	require.Equal(t, "host-2", chosen(), "and back")
}

// A preview goes where most memory is free. One that was placed since the host told of its memory counts with all that it may take.
func TestPreviewHost_MostMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	free := func(host string, mb int) {
		require.NoError(t, b.SeenHost(t.Context(), host, []string{"preview"}, 0))
		require.NoError(t, b.HasMemory(t.Context(), host, int64(mb)<<20))
	}
	chosen := func() string {
		id, err := b.PreviewHost(t.Context())
		require.NoError(t, err)
		return id
	}
	free("host-1", 2*p.Resources.MemoryMB)
	free("host-2", 2*p.Resources.MemoryMB-1)
	require.Equal(t, "host-1", chosen())
	require.NoError(t, b.SetPreview(t.Context(), "", preview(b.deploy(p, "production")))) // on host-1
	require.Equal(t, "host-2", chosen(), "the app that is being started will take its memory")
	b.exec("UPDATE previews SET state = 'live', updated_at = now()")
	require.Equal(t, "host-2", chosen(), "it has just begun to take it")
	free("host-1", 2*p.Resources.MemoryMB)
	require.Equal(t, "host-1", chosen(), "the host has counted it")
}

func TestLeftOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	own := func(d deployment.Deployment, kind deployment.ResourceKind, host string) deployment.Resource {
		r := deployment.Resource{Kind: kind, Name: string(kind) + "-" + d.ID, Host: host, DeploymentID: d.ID, RunID: "run"}
		if kind == deployment.ResourceContainer {
			r.Name = preview(d).Container
		}
		require.NoError(t, b.Own(t.Context(), r))
		return r
	}
	left := func(host string) []deployment.Resource {
		found, err := b.LeftOver(t.Context(), host, 0, 0)
		require.NoError(t, err)
		return found
	}
	failed, underWay, abreast := b.deploy(p, "branch/a"), b.deploy(p, "branch/b"), b.abreast(p, "production", 2)
	replaced, live := abreast[0], abreast[1]
	ofFailed := []deployment.Resource{
		own(failed, deployment.ResourceContainer, "host-1"), own(failed, deployment.ResourceNetwork, "host-1"), own(failed, deployment.ResourceWorkspace, "host-1"),
	}
	own(failed, deployment.ResourceImageTag, "")
	own(underWay, deployment.ResourceContainer, "host-1")
	ofReplaced := own(replaced, deployment.ResourceContainer, "host-1")
	own(live, deployment.ResourceContainer, "host-1")
	moved := own(live, deployment.ResourceNetwork, "host-2")
	b.live(replaced, "run")
	require.Empty(t, left("host-1"), "nothing has ended but what is live")

	_, err := b.Finish(t.Context(), failed.ID, "", deployment.StatusFailed, nil)
	require.NoError(t, err)
	require.Equal(t, ofFailed, left("host-1"), "containers first")
	b.live(live, "run")
	require.ElementsMatch(t, append(ofFailed, ofReplaced), left("host-1"))
	require.Equal(t, []deployment.Resource{moved}, left("host-2"), "the preview runs on another host")

	require.NoError(t, b.begin(underWay, "run"))
	require.NotContains(t, left("host-1"), own(underWay, deployment.ResourceContainer, "host-1"))
	require.NoError(t, b.begin(underWay, "run-2"))
	former := own(underWay, deployment.ResourceContainer, "host-1")
	require.Contains(t, left("host-1"), former, "another run has taken over")
	taken := former
	taken.RunID = "run-2"
	require.NoError(t, b.Own(t.Context(), taken))
	require.NoError(t, b.Disown(t.Context(), former))
	require.NotContains(t, left("host-1"), taken, "what that run has taken over stays")
	owned, err := b.Owned(t.Context(), underWay.ID, "")
	require.NoError(t, err)
	require.Equal(t, []deployment.Resource{taken}, owned)

	late := deployment.Resource{Kind: deployment.ResourceContainer, Name: "late", Host: "host-1", DeploymentID: live.ID, RunID: "run-0"}
	require.NoError(t, b.Own(t.Context(), late))
	require.Contains(t, left("host-1"), late, "the preview is another container")

	young, err := b.LeftOver(t.Context(), "host-1", time.Hour, time.Hour)
	require.NoError(t, err)
	require.Empty(t, young, "whoever is about to remove it in order has time to")
	lost, err := b.LeftOver(t.Context(), "host-1", time.Hour, 0)
	require.NoError(t, err)
	require.Equal(t, ofFailed, lost, "nobody is about to remove what is left of one that ended without becoming ready")
}

// What is live and was stopped or has failed is left to its lease for a while, and all the time that it is being started again.
func TestLeftOver_OfWhatIsLive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.branch()
	b.exec("UPDATE deployments SET finished_at = now() - interval '1 hour', ready_at = now() - interval '1 hour'")
	container := deployment.Resource{Kind: deployment.ResourceContainer, Name: preview(d).Container, Host: "host-1", DeploymentID: d.ID}
	network := deployment.Resource{Kind: deployment.ResourceNetwork, Name: preview(d).Network, Host: "host-1", DeploymentID: d.ID}
	require.NoError(t, b.Own(t.Context(), container))
	require.NoError(t, b.Own(t.Context(), network))
	left := func() []deployment.Resource {
		found, err := b.LeftOver(t.Context(), "host-1", time.Minute, time.Minute)
		require.NoError(t, err)
		return found
	}
	require.Empty(t, left())
	for _, state := range []deployment.PreviewState{deployment.PreviewStopped, deployment.PreviewFailed} {
		require.NoError(t, b.SetPreviewState(t.Context(), d.ID, state))
		require.Empty(t, left(), "%s just now", state)
		b.idleFor("2 minutes")
		require.Equal(t, []deployment.Resource{container, network}, left(), "%s and not started again", state)
		p, err := b.BeginStart(t.Context(), again(d, "host-1"))
		require.NoError(t, err)
		require.Empty(t, left(), "it is being started")
		require.NoError(t, b.Started(t.Context(), p))
		require.Empty(t, left())
	}

	p := preview(d)
	p.Network = "net-of-an-earlier-version"
	require.NoError(t, b.SetPreviewState(t.Context(), d.ID, deployment.PreviewFailed))
	b.exec("UPDATE previews SET network = $1", p.Network)
	_, err := b.BeginStart(t.Context(), again(d, "host-1"))
	require.NoError(t, err)
	require.Empty(t, left(), "it may be made anew on this network")
	earlier := network
	earlier.Name = p.Network
	require.NoError(t, b.Own(t.Context(), earlier))
	require.NoError(t, b.Started(t.Context(), preview(d)))
	require.Equal(t, []deployment.Resource{earlier}, left(), "it was, and the one that it was on before is of no use")
}

// Of an image that several deployments run none may need it.
func TestPulledInVain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	live, failed, shared := b.deploy(p, "branch/live"), b.deploy(p, "branch/failed"), b.deploy(p, "branch/shared")
	digests := []string{"sha256:live", "sha256:failed", "sha256:unknown"}
	inVain := func() []string {
		list, err := b.PulledInVain(t.Context(), digests, 0)
		require.NoError(t, err)
		return list
	}
	image := func(d deployment.Deployment, digest string) {
		b.exec("UPDATE deployments SET image_digest = $2 WHERE id = $1", d.ID, digest)
	}
	b.live(live, "run")
	image(live, "sha256:live")
	image(failed, "sha256:failed")
	image(shared, "sha256:failed")
	require.Empty(t, inVain())
	b.finish(failed, "", deployment.StatusFailed)
	require.Empty(t, inVain(), "another runs it")
	b.finish(shared, "", deployment.StatusCanceled)
	require.Equal(t, []string{"sha256:failed"}, inVain())
	require.NoError(t, b.SetPreviewState(t.Context(), live.ID, deployment.PreviewStopped))
	require.Equal(t, []string{"sha256:failed", "sha256:live"}, inVain())
}
