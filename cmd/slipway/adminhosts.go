package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/internal/config"
	domain "github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
)

func (c *cli) adminHosts() *cobra.Command {
	return c.group(&cobra.Command{
		Use: "hosts", Short: "List hosts, and give up those that are gone",
		Long:    "The machines whose workers build and run previews." + machineNote,
		Example: "  sudo -E slipway admin hosts list\n  sudo -E slipway admin hosts forget build-7",
	}, c.adminHostsList(), c.adminHostsForget())
}

func (c *cli) adminHostsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the hosts, and whether they are there", Args: cobra.NoArgs,
		Long: `List the hosts with their roles, when each was last seen, the build slots that are in use, the previews that are to run
there, and the memory that was free then: a preview goes where most of it is. A host is alive while it says so every few seconds, and gives no slots when its disk runs low; one that is silent for half a minute gets nothing new. One that is
unknown was never seen, or was forgotten, and something still names it.` + machineNote,
		Example: "  sudo -E slipway admin hosts list\n  sudo -E slipway admin hosts list --output json | jq -r '.items[] | select(.alive | not) | .id'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onMachine(cmd.Context(), func(_ config.Dev, store *postgres.Store) error {
				hosts, err := store.Hosts(cmd.Context())
				if err != nil {
					return err
				}
				return c.print(map[string]any{"items": hosts}, func() error { return c.printHosts(hosts) })
			})
		},
	}
}

func (c *cli) printHosts(hosts []domain.Host) error {
	t := newTable("HOST", "ROLES", "STATE", "LAST SEEN", "SLOTS", "PREVIEWS", "MEMORY FREE")
	for _, h := range hosts {
		state, seen := "unknown", ""
		if h.LastSeenAt != nil {
			state, seen = "silent", took(c.now().Sub(*h.LastSeenAt))+" ago"
		}
		if h.Alive {
			state = "alive"
			if h.SlotsClosed != "" {
				state = "gives no slots: " + h.SlotsClosed
			}
		}
		memory := ""
		if h.FreeMemory > 0 {
			memory = units.BytesSize(float64(h.FreeMemory))
		}
		t.add(h.ID, strings.Join(h.Roles, ","), state, seen, fmt.Sprintf("%d/%d", h.SlotsUsed, h.Slots), fmt.Sprint(h.Previews), memory)
	}
	return c.printTable(t)
}

func (c *cli) adminHostsForget() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use: "forget HOST", Short: "Give up a host that is gone for good", Args: cobra.ExactArgs(1),
		Long: `Give up all that a host which will not come back is said to hold: its build slots, checkouts, containers and networks. Deletions
that wait for it go on, and deploys do not wait for it any more. What was live on it is started on another host, from its
image; the command lists each with the command that brings it back where there is no other. What is deployed later goes to other hosts.

Refused while the host is alive: stop its worker first. Asks before it does anything; where there is no terminal to ask on, --yes is
needed. Run again it changes nothing more. Should the host come back after all, it starts as a new one and removes the containers,
networks and checkouts that it still has of before.` + machineNote,
		Example: `  sudo -E slipway admin hosts forget build-7
  sudo -E slipway admin hosts forget build-7 --yes --output json | jq -r '.lost[].command'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.onMachine(cmd.Context(), func(_ config.Dev, store *postgres.Store) error {
				return c.forgetHost(cmd.Context(), store, args[0], yes)
			})
		},
	}
	yesFlag(command, &yes)
	return command
}

// lostEnvironment is an environment whose live preview was on a host that is gone.
type lostEnvironment struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
	Number      int    `json:"number"`  // of the deployment that was live
	Command     string `json:"command"` // that brings it back
}

func (c *cli) forgetHost(ctx context.Context, store *postgres.Store, id string, yes bool) error {
	if !yes {
		if err := c.confirmForget(ctx, store, id); err != nil {
			return err
		}
	}
	forgotten, err := store.ForgetHost(ctx, id)
	if errors.Is(err, domain.ErrHostLives) {
		return &shownError{message: err.Error(), fix: "stop its worker first; what it runs then goes on elsewhere, or waits for it"}
	}
	if err != nil {
		return err
	}
	lost := make([]lostEnvironment, len(forgotten.Lost))
	for i, d := range forgotten.Lost {
		lost[i] = lostEnvironment{d.ProjectName, d.Environment, d.Number, bringBack(d)}
	}
	answer := map[string]any{"host": id, "known": forgotten.Known, "things": forgotten.Things, "lost": lost}
	return c.print(answer, func() error { return c.printForgotten(id, forgotten, lost) })
}

func (c *cli) confirmForget(ctx context.Context, store *postgres.Store, id string) error {
	if !c.screen.stdin {
		return &shownError{message: "there is no terminal to ask on whether to forget host " + id, fix: "pass --yes", exit: exitUsage}
	}
	hosts, err := store.Hosts(ctx)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.ID == id {
			c.say("This gives up %s on host %s, %s among them.", counted(h.Things, "thing", "things"), clean(id), counted(h.Previews, "preview", "previews"))
		}
	}
	typed, err := c.askLine(ctx, "Type its name to go on")
	if err == nil && typed != id {
		err = &shownError{message: "not forgotten"}
	}
	return err
}

// bringBack is the command that makes an environment live again: with the image that it had, or by building its commit.
func bringBack(d domain.Deployment) string {
	if d.ImageDigest != "" && d.ImageRemovedAt == nil {
		return fmt.Sprintf("slipway rollback %s --to %s#%d", d.Environment, d.ProjectName, d.Number)
	}
	return fmt.Sprintf("slipway deploy %s --commit %s --environment %s", d.ProjectName, d.Commit, d.Environment)
}

func (c *cli) printForgotten(id string, forgotten domain.ForgottenHost, lost []lostEnvironment) error {
	if !forgotten.Known {
		return c.line("nothing names host %s: there is nothing to forget", clean(id))
	}
	if err := c.line("host %s is forgotten, with %s", clean(id), counted(forgotten.Things, "thing that it held", "things that it held")); err != nil || len(lost) == 0 {
		return err
	}
	c.say("what was live on it is started on another host; where there is none, this brings it back:")
	t := newTable("PROJECT", "ENVIRONMENT", "DEPLOYMENT", "COMMAND")
	for _, l := range lost {
		t.add(l.Project, l.Environment, fmt.Sprintf("#%d", l.Number), l.Command)
	}
	return c.printTable(t)
}
