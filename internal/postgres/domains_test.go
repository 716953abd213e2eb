package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func (b bench) domain(d deployment.Deployment, name string) deployment.Domain {
	b.t.Helper()
	added, created, err := b.AddDomain(b.t.Context(), d.EnvironmentID, name, "token-of-"+d.ID)
	require.NoError(b.t, err)
	require.True(b.t, created)
	return added
}

func (b bench) verified(d deployment.Deployment, name string) deployment.Domain {
	b.t.Helper()
	v, err := b.VerifyDomain(b.t.Context(), b.domain(d, name))
	require.NoError(b.t, err)
	return v
}

func TestDomains_LeadToWhatIsLiveOnceTheyAreVerified(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	live := b.deploy(p, "production")
	b.live(live, "run-1")
	added := b.domain(live, "shop.example.com")
	require.Nil(t, added.VerifiedAt)
	require.Equal(t, live.EnvHost, added.EnvironmentHost)
	require.NoError(t, b.DomainNotShown(t.Context(), live.EnvironmentID, added.Name, "no record\x00"))
	looked, err := b.Domain(t.Context(), live.EnvironmentID, added.Name)
	require.NoError(t, err)
	require.Equal(t, "no record\uFFFD", looked.CheckError)
	require.WithinDuration(t, time.Now(), *looked.CheckedAt, time.Minute)
	_, err = b.Route(t.Context(), added.Name)
	require.ErrorIs(t, err, deployment.ErrNotFound)

	verified, err := b.VerifyDomain(t.Context(), added)
	require.NoError(t, err)
	require.NotNil(t, verified.VerifiedAt)
	require.Empty(t, verified.CheckError)
	require.NoError(t, b.DomainNotShown(t.Context(), live.EnvironmentID, added.Name, "late"), "changes nothing any more")
	again, err := b.VerifyDomain(t.Context(), added)
	require.NoError(t, err)
	require.Equal(t, verified.VerifiedAt, again.VerifiedAt)
	require.Empty(t, again.CheckError)

	route, err := b.Route(t.Context(), added.Name)
	require.NoError(t, err)
	require.Equal(t, live.ID, route.DeploymentID)
	require.True(t, route.Stable)
	require.Equal(t, preview(live).Address, route.Address)
	routes, err := b.Routes(t.Context())
	require.NoError(t, err)
	var hosts []string
	for _, r := range routes {
		hosts = append(hosts, r.Hostname)
		require.Equal(t, live.ID, r.DeploymentID)
		require.Equal(t, r.Hostname != live.PreviewHost, r.Stable)
	}
	require.ElementsMatch(t, []string{live.EnvHost, live.PreviewHost, added.Name}, hosts)

	require.NoError(t, b.DeleteDomain(t.Context(), live.EnvironmentID, added.Name))
	_, err = b.Route(t.Context(), added.Name)
	require.ErrorIs(t, err, deployment.ErrNotFound)
	require.ErrorIs(t, b.DeleteDomain(t.Context(), live.EnvironmentID, added.Name), deployment.ErrNotFound)
	_, err = b.VerifyDomain(t.Context(), added)
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

func TestDomains_WhoeverVerifiesFirstHasIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	mine, theirs, third := b.deploy(b.project("mine"), "production"), b.deploy(b.project("theirs"), "production"), b.deploy(b.project("third"), "production")
	asked, first := b.domain(mine, "shop.example.com"), b.domain(theirs, "shop.example.com")
	require.NotEqual(t, asked.Token, first.Token)
	_, err := b.VerifyDomain(t.Context(), first)
	require.NoError(t, err)
	_, err = b.VerifyDomain(t.Context(), asked)
	require.ErrorIs(t, err, deployment.ErrDomainTaken)
	_, _, err = b.AddDomain(t.Context(), third.EnvironmentID, "shop.example.com", "x")
	require.ErrorIs(t, err, deployment.ErrDomainTaken)
	route, err := b.Route(t.Context(), "shop.example.com")
	require.NoError(t, err)
	require.Equal(t, "theirs", route.Project)

	same, created, err := b.AddDomain(t.Context(), theirs.EnvironmentID, "shop.example.com", "another")
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.Token, same.Token, "the record that was made in DNS stays right")

	b.remove(deployment.Scope{ProjectID: theirs.ProjectID})
	_, err = b.VerifyDomain(t.Context(), asked)
	require.NoError(t, err, "a deletion frees it at once, long before the purge")
	_, _, err = b.AddDomain(t.Context(), theirs.EnvironmentID, "other.example.com", "x")
	require.ErrorIs(t, err, deployment.ErrNotFound)
	b.remove(deployment.Scope{ProjectID: mine.ProjectID, EnvironmentID: mine.EnvironmentID})
	b.verified(third, "shop.example.com")
}

func TestDomains_AreListedByName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.deploy(b.project("app"), "production")
	for _, name := range []string{"c.example.com", "a.example.com", "b.example.com"} {
		b.domain(d, name)
	}
	page, next, err := b.Domains(t.Context(), d.EnvironmentID, deployment.Page{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []string{"a.example.com", "b.example.com"}, []string{page[0].Name, page[1].Name})
	page, next, err = b.Domains(t.Context(), d.EnvironmentID, deployment.Page{Limit: 2, Cursor: next})
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Empty(t, next)
	_, _, err = b.Domains(t.Context(), d.EnvironmentID, deployment.Page{Cursor: "x"})
	require.ErrorIs(t, err, deployment.ErrInvalidCursor)
	_, _, err = b.Domains(t.Context(), "x", deployment.Page{})
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

// heardRoutes are the host names of which Postgres says that their routes may have changed, until the test ends.
func (b bench) heardRoutes() <-chan string {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	begun, heard, done := make(chan struct{}, 10), make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(done)
		b.ListenRoutes(ctx, slog.New(slog.DiscardHandler), func() { begun <- struct{}{} }, func(host string) { heard <- host })
	}()
	b.t.Cleanup(func() {
		cancel()
		<-done
	})
	<-begun
	return heard
}

// A gateway hears of every change of a domain's route, as of those of other host names.
func TestDomains_ChangesAreNotified(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	d := b.deploy(p, "production")
	heard := b.heardRoutes()
	const name = "shop.example.com"
	added := b.domain(d, name)
	_, err := b.VerifyDomain(t.Context(), added)
	require.NoError(t, err)
	require.Equal(t, name, <-heard)
	b.live(d, "run-1")
	for host := range heard { // of what goes live
		if host == name {
			break
		}
	}
	for len(heard) > 0 {
		<-heard
	}
	require.NoError(t, b.DeleteDomain(t.Context(), d.EnvironmentID, name))
	for host := range heard {
		if host == name {
			return
		}
	}
}
