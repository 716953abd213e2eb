package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func leaseOf(d deployment.Deployment, host string) deployment.Resource {
	return deployment.Resource{Kind: deployment.ResourceLease, Name: d.ID, Host: host, DeploymentID: d.ID, RunID: "run"}
}

// requireFull is for a claim that its project's other builds stand in the way of.
func requireFull(t *testing.T, err error, want deployment.ProjectFullError) {
	t.Helper()
	var full *deployment.ProjectFullError
	require.ErrorAs(t, err, &full)
	require.Equal(t, want, *full)
}

// All deploys of two projects claim at once, each on two hosts at once, as when an attempt is made again.
func TestLease_ManyHostsAtOnceGiveAProjectNoMoreThanItMayHave(t *testing.T) {
	t.Parallel()
	const most, deploys = 2, 12
	b := newBench(t)
	projects := []deployment.Project{b.project("a"), b.project("b")}
	var waiting []deployment.Deployment
	for n := range deploys {
		for _, p := range projects {
			waiting = append(waiting, b.inLine(p, fmt.Sprintf("branch/%d", n)))
		}
	}
	var wait sync.WaitGroup
	begin := make(chan struct{})
	for _, d := range waiting {
		for _, host := range []string{"host-1", "host-2"} {
			wait.Go(func() {
				<-begin
				var full *deployment.ProjectFullError
				if err := b.Lease(t.Context(), leaseOf(d, host), most); err != nil && assert.ErrorAs(t, err, &full) {
					assert.Equal(t, most, full.Builds)
				}
			})
		}
	}
	close(begin)
	wait.Wait()
	for _, p := range projects {
		var builds int
		require.NoError(t, b.Pool().QueryRow(t.Context(), `SELECT count(DISTINCT d.id) FROM resources r JOIN deployments d ON d.id = r.deployment_id
			WHERE r.kind = 'lease' AND d.project_id = $1`, p.ID).Scan(&builds))
		require.Equal(t, most, builds)
	}
}

func TestLease_WhoHoldsASlotAndWhoHasEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, other := b.project("app"), b.project("other")
	first, second, third := b.inLine(p, "branch/1"), b.inLine(p, "branch/2"), b.inLine(p, "branch/3")
	require.NoError(t, b.Lease(t.Context(), leaseOf(first, "host-1"), 1))
	require.NoError(t, b.Lease(t.Context(), leaseOf(first, "host-1"), 1), "told twice")
	require.NoError(t, b.Lease(t.Context(), leaseOf(first, "host-2"), 1), "it moves from a host that is gone")
	requireFull(t, b.Lease(t.Context(), leaseOf(second, "host-3"), 1), deployment.ProjectFullError{Builds: 1, Most: 1, Turn: 1})
	requireFull(t, b.Lease(t.Context(), leaseOf(third, "host-3"), 1), deployment.ProjectFullError{Builds: 1, Most: 1, Turn: 2})
	require.NoError(t, b.Lease(t.Context(), leaseOf(b.inLine(other, "production"), "host-3"), 1), "another project's")
	silent := b.deploy(p, "branch/4")
	requireFull(t, b.Lease(t.Context(), leaseOf(silent, "host-3"), 1), deployment.ProjectFullError{Builds: 1, Most: 1, Turn: 1})
	require.NoError(t, b.Lease(t.Context(), leaseOf(silent, "host-3"), 0), "no bound")
	require.NoError(t, b.Disown(t.Context(), leaseOf(silent, "host-3")))

	_, err := b.Finish(t.Context(), first.ID, "run", deployment.StatusFailed, nil)
	require.NoError(t, err)
	require.NoError(t, b.Lease(t.Context(), leaseOf(third, "host-3"), 1), "one that has ended builds no more, whatever a host that is gone keeps")
	require.NoError(t, b.Disown(t.Context(), leaseOf(third, "host-3")))
	require.NoError(t, b.Lease(t.Context(), leaseOf(second, "host-3"), 1))

	b.remove(of(p))
	err = b.Lease(t.Context(), deployment.Resource{Kind: deployment.ResourceLease, Name: p.ID, Host: "host-1", DeploymentID: p.ID}, 1)
	require.ErrorIs(t, err, deployment.ErrNotFound, "there is no such deployment")
}

// Nothing but that every build host is closed keeps a deployment from its slot.
func TestWaitsForRoom_OnceEveryHostIsClosed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.inLine(b.project("app"), "production")
	for _, host := range []string{"host-1", "host-2"} {
		require.NoError(t, b.SeenHost(t.Context(), host, []string{"build"}, 1))
	}
	require.NoError(t, b.CloseSlots(t.Context(), "host-2", "disk space on host-2"))
	require.Equal(t, "a build slot", b.now(d.ID).WaitingFor)
	require.NoError(t, b.CloseSlots(t.Context(), "host-1", "disk space on host-1"))
	require.Equal(t, "disk space on host-1, disk space on host-2", b.now(d.ID).WaitingFor)
	require.Equal(t, 1, b.now(d.ID).QueuePosition)
	b.exec("UPDATE hosts SET last_seen_at = now() - interval '1 minute' WHERE id = 'host-1'")
	require.Equal(t, "disk space on host-2", b.now(d.ID).WaitingFor, "the other is gone")
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"build"}, 1))
	require.NoError(t, b.CloseSlots(t.Context(), "host-1", ""))
	require.Equal(t, "a build slot", b.now(d.ID).WaitingFor)
}

// What a deployment waits for, and its place, follow what its project may hold, as the hosts that are there say.
func TestPlaceInLine_BehindTheProjectsOwnBuilds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	crowd, few := b.project("crowd"), b.project("few")
	var all []deployment.Deployment
	for n := range 4 {
		all = append(all, b.inLine(crowd, fmt.Sprintf("branch/%d", n)))
	}
	all = append(all, b.inLine(few, "branch/1"), b.inLine(few, "branch/2"))
	say := func(host string, most int) {
		require.NoError(t, b.SeenHost(t.Context(), host, []string{"build"}, 4))
		require.NoError(t, b.LimitProjects(t.Context(), host, most))
	}
	shown := func() (words []string, places []int) {
		for _, d := range all {
			now := b.now(d.ID)
			words, places = append(words, now.WaitingFor), append(places, now.QueuePosition)
		}
		return words, places
	}
	const slot, others = "a build slot", "the project's other builds (2 of 2 under way)"
	say("host-1", 2)
	words, places := shown()
	require.Equal(t, []string{slot, slot, slot, slot, slot, slot}, words)
	require.Equal(t, []int{1, 3, 5, 6, 2, 4}, places, "two of each may go, then nobody can tell")

	for _, d := range all[:2] {
		require.NoError(t, b.Lease(t.Context(), leaseOf(d, "host-1"), 2))
	}
	words, places = shown()
	require.Equal(t, []string{others, others, slot, slot}, words[2:])
	require.Equal(t, []int{3, 4, 1, 2}, places[2:])

	say("host-2", 4)
	words, places = shown()
	require.Equal(t, []string{slot, slot, slot, slot}, words[2:], "one host lets it have more")
	require.Equal(t, []int{1, 3, 2, 4}, places[2:])
	say("host-2", 0)
	words, _ = shown()
	require.Equal(t, slot, words[2], "or as many as there are")
	b.exec("UPDATE hosts SET last_seen_at = $1 WHERE id = 'host-2'", time.Now().Add(-time.Minute))
	words, _ = shown()
	require.Equal(t, others, words[2], "that one is gone")
}

// Who claims again has a lease that is new.
func TestLeasesBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.begun(b.project("app"), "production")
	old := func(host string) []deployment.Resource {
		list, err := b.LeasesBefore(t.Context(), host, time.Minute)
		require.NoError(t, err)
		return list
	}
	require.NoError(t, b.Lease(t.Context(), leaseOf(d, "host-1"), 0))
	require.Empty(t, old("host-1"))
	b.exec("UPDATE resources SET created_at = created_at - interval '2 minutes'")
	require.Equal(t, []deployment.Resource{leaseOf(d, "host-1")}, old("host-1"))
	require.Empty(t, old("host-2"))
	require.NoError(t, b.Lease(t.Context(), leaseOf(d, "host-1"), 0))
	require.Empty(t, old("host-1"))
}
