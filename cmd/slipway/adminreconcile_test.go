package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	domain "github.com/slipway-dev/slipway/internal/deployment"
)

func TestReconciled(t *testing.T) {
	t.Parallel()
	stray := domain.Difference{Kind: "container", Thing: "slipway-1", Host: "a", Found: "no row knows of it", Repair: "removed"}
	stuck := stray
	stuck.Error, stuck.Fix = "it hangs", "restart Docker"
	silent := domain.Difference{Kind: "host", Thing: "b", Host: "b", Found: "it has not been seen for 3h0m0s", Fix: "forget it"}
	for name, c := range map[string]struct {
		answer reconciled
		shown  string // the last column of the last line
		exit   int
	}{
		"nothing":       {answer: reconciled{}, shown: `nothing differs`},
		"to repair":     {answer: reconciled{DryRun: true, Items: []domain.Difference{stray}}, shown: `KIND.* TO BE\ncontainer +slipway-1 +a +no row knows of it +removed`, exit: exitDiffers},
		"repaired":      {answer: reconciled{Items: []domain.Difference{stray}}, shown: `KIND.* DONE\n.*removed`},
		"not repaired":  {answer: reconciled{Items: []domain.Difference{stray, stuck}}, shown: `not removed: it hangs; fix: restart Docker`, exit: exitDiffers},
		"a silent host": {answer: reconciled{Items: []domain.Difference{silent}}, shown: `3h0m0s +forget it`, exit: exitDiffers},
		"too many":      {answer: reconciled{Items: []domain.Difference{stray}, More: 7}, shown: `removed`, exit: exitDiffers},
	} {
		var out, errs bytes.Buffer
		require.NoError(t, (&person{t: t}).cli(&out, &errs).printDifferences(c.answer), name)
		require.Regexp(t, c.shown+`\n$`, out.String(), name)
		err := c.answer.verdict()
		if c.exit == 0 {
			require.NoError(t, err, name)
			continue
		}
		var shown *shownError
		require.ErrorAs(t, err, &shown, name)
		require.Equal(t, c.exit, shown.code(), name)
	}
}

func TestHostsAsTable(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	seen, long := noon.Add(-2*time.Second), noon.Add(-72*time.Hour)
	require.NoError(t, (&person{t: t}).cli(&out, &errs).printHosts([]domain.Host{
		{ID: "a", Roles: []string{"build", "preview"}, Alive: true, LastSeenAt: &seen, Slots: 2, SlotsUsed: 1, Previews: 3, FreeMemory: 3 << 29},
		{ID: "b", Roles: []string{"build"}, LastSeenAt: &long, Slots: 4},
		{ID: "c", Things: 1},
		{ID: "d", Roles: []string{"build"}, Alive: true, LastSeenAt: &seen, Slots: 1, SlotsClosed: "disk space on host d"},
	}))
	require.Regexp(t, `^HOST.*\na +build,preview +alive +2.0s ago +1/2 +3 +1.5GiB\nb +build +silent +3d ago +0/4 +0 +-\nc +- +unknown +- +0/0 +0 +-\nd +build +gives no slots: disk space on host d +2.0s ago +0/1 +0 +-\n$`, out.String())
}

func TestForgottenHost(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := (&person{t: t}).cli(&out, &errs)
	require.NoError(t, c.printForgotten("b", domain.ForgottenHost{}, nil))
	require.Contains(t, out.String(), "nothing names host b")

	removed := noon
	kept := domain.Deployment{ProjectName: "shop", Environment: "production", Number: 41, Commit: "0123", ImageDigest: "sha256:1"}
	gone := kept
	gone.ImageRemovedAt = &removed
	require.Equal(t, "slipway rollback production --to shop#41", bringBack(kept))
	require.Equal(t, "slipway deploy shop --commit 0123 --environment production", bringBack(gone))
	require.NoError(t, c.printForgotten("b", domain.ForgottenHost{Known: true, Things: 3}, []lostEnvironment{{"shop", "production", 41, bringBack(kept)}}))
	require.Regexp(t, `host b is forgotten, with 3 things that it held\n.*\nshop +production +#41 +slipway rollback production --to shop#41\n$`, out.String())
}

func TestForgetHost_AsksFirst(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := (&person{t: t}).cli(&out, &errs)
	var shown *shownError
	require.ErrorAs(t, c.forgetHost(t.Context(), nil, "b", false), &shown)
	require.Equal(t, exitUsage, shown.code())
	require.Equal(t, "pass --yes", shown.fix)
}
