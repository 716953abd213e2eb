package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func TestEnvironmentsListAndShow(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("environments", "list", "-p", "shop")
	require.Zero(t, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "shop has no environments")

	api.environments = []oapi.Environment{environmentOf("branch/cart", 3), environmentOf("branch/search", 0)}
	api.pageLimit = 1 // the CLI pages
	code, stdout, stderr = user(t, api).run("environments", "list")
	require.Zero(t, code, stderr)
	require.Equal(t, `ENVIRONMENT    LIVE    AGE    URL
branch/cart    shop#3  1h00m  http://shop-cart-preview.localhost:8000
branch/search  -       1h00m  http://shop-cart-preview.localhost:8000
`, stdout)
	for _, given := range []string{"branch/cart", envID} {
		code, stdout, stderr = user(t, api).run("environments", "show", given, "-p", "shop")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "live:          shop#3\n")
	}
	code, _, stderr = user(t, api).run("environments", "show", "branch/none", "-p", "shop")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: no environment of shop is called \"branch/none\"\nfix: `slipway environments list --project shop` shows their names\n", stderr)
}

func TestEnvironmentsUpdate(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.environments = []oapi.Environment{environmentOf("branch/cart", 3)}
	code, stdout, stderr := user(t, api).run("environments", "show", envID)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "order policy:  supersede\n")
	for _, verb := range []string{"update", "set"} {
		code, stdout, stderr = user(t, api).run("environments", verb, "branch/cart", "-p", "shop", "--order-policy", "queue")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "order policy:  queue\n")
		require.Contains(t, api.requests(), "PATCH /v1/environments/"+envID+` {"order_policy":"queue"}`)
	}
	code, _, stderr = user(t, api).run("environments", "update", "branch/cart", "--order-policy", "first")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "use supersede or queue")
	code, _, stderr = user(t, api).run("environments", "update", "branch/cart")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "nothing to change")
}

// looks are what one who follows a deletion sees, one after the other.
func looks(kind oapi.DeletionKind, left ...[]oapi.LeftOver) (list []oapi.Deletion) {
	for _, l := range left {
		list = append(list, oapi.Deletion{
			ID: projectID, Kind: kind, Name: "shop", Project: "shop", RequestedAt: noon.Add(-time.Minute), Left: append([]oapi.LeftOver{}, l...),
		})
	}
	return list
}

func leftOver(kind string, host *string, seen *time.Time) oapi.LeftOver {
	return oapi.LeftOver{Kind: kind, Name: kind + "-1", Host: host, HostSeenAt: seen, DeploymentID: deploymentID(1), DeploymentNumber: 1}
}

func TestProjectsDeleteFollowsToTheEnd(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	here, gone := leftOver("container", new("h1"), new(noon)), leftOver("network", new("h2"), new(noon.Add(-5*time.Minute)))
	api.deletions = looks(oapi.DeletionKindProject, []oapi.LeftOver{leftOver("deployment", nil, nil), here, here, gone}, []oapi.LeftOver{gone}, []oapi.LeftOver{gone}, nil)
	code, stdout, stderr := user(t, api).run("projects", "delete", "shop", "--yes")
	require.Zero(t, code, stderr)
	require.Equal(t, "project shop is gone\n", stdout)
	require.Equal(t, `removing project shop: 2 containers, 1 deployment, 1 network
waiting for host h2, last seen 2026-11-23 11:55:00 UTC, which holds network network-1
removing project shop: 1 network
removing project shop: only rows are left
`, stderr)
	require.Equal(t, "DELETE /v1/projects/"+projectID, api.requests()[1])

	api.deletions = looks(oapi.DeletionKindProject, []oapi.LeftOver{here})
	code, stdout, _ = user(t, api).run("projects", "delete", "shop", "--yes", "-o", "json")
	require.Zero(t, code)
	require.Contains(t, stdout, `"left": []`)
}

func TestDeleteAsksForTheName(t *testing.T) {
	t.Parallel()
	for _, command := range []struct{ args, name, says string }{
		{"projects delete shop", "shop", "This deletes project shop (https://git.example.com/team/shop.git) with its environments"},
		{"environments delete branch/cart -p shop", "branch/cart", "This deletes environment branch/cart of shop with its variables"},
	} {
		for typed, want := range map[string]struct {
			code    int
			deletes bool
		}{
			command.name + "\n": {exitOK, true}, "y\n": {exitError, false}, "": {exitError, false},
		} {
			api := newFakeAPI(t)
			api.environments = []oapi.Environment{environmentOf("branch/cart", 1)}
			api.deletions = looks(oapi.DeletionKindEnvironment, nil)
			p := user(t, api)
			p.stdin, p.tune = typed, func(c *cli) { c.screen.stdin = true }
			code, _, stderr := p.run(strings.Fields(command.args)...)
			require.Equal(t, want.code, code, stderr)
			require.Contains(t, stderr, command.says)
			require.Equal(t, want.deletes, strings.Contains(strings.Join(api.requests(), "\n"), "DELETE "))
		}
		api := newFakeAPI(t)
		api.environments = []oapi.Environment{environmentOf("branch/cart", 1)}
		code, _, stderr := user(t, api).run(strings.Fields(command.args)...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "fix: pass --yes")
	}
}

func TestDeleteInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.deletions = looks(oapi.DeletionKindProject, nil)
	p := user(t, api)
	p.tune = func(c *cli) { c.pollEvery = time.Hour }
	var out, errs buffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.cli(&out, &errs).run(ctx, []string{"projects", "delete", "shop", "-y"}) }()
	require.Eventually(t, func() bool { return strings.Contains(errs.String(), "removing") }, eventually, tick)
	cancel()
	require.Equal(t, exitInterrupted, <-ended)
	require.Contains(t, errs.String(), "interrupted: project shop is deleted, and its removal goes on\nsee what is left: slipway deletions\n")
}

func TestDeletions(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	code, stdout, stderr := user(t, api).run("deletions")
	require.Zero(t, code)
	require.Empty(t, stdout)
	require.Equal(t, "nothing is being deleted\n", stderr)
	api.deletions = looks(oapi.DeletionKindProject, []oapi.LeftOver{leftOver("image_tag", nil, nil), leftOver("image_tag", nil, nil)})
	code, stdout, _ = user(t, api).run("deletions")
	require.Zero(t, code)
	require.Equal(t, "PROJECT  ENVIRONMENT  AGE    LEFT\nshop     -            1m00s  2 image tags\n", stdout)
}
