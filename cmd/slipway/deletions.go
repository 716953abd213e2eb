package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

const deleteLong = `The command shows what is left and ends when
that is nothing: engine, registry and disks have been looked at again by then. Asks first; where there is no terminal to ask
on, --yes is needed.`

// hostSilence is how long a host may say nothing before it counts as what a deletion waits for.
const hostSilence = time.Minute

func (c *cli) deletionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deletions", Short: "List what is deleted and not yet removed", Args: cobra.NoArgs,
		Long:    "List the projects and environments that are deleted, with what of each is still being removed.",
		Example: "  slipway deletions\n  slipway deletions --output json | jq '.items[].left'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			found, err := ask[client.DeletionList](api.ListDeletionsWithResponse(cmd.Context()))
			if err != nil {
				return err
			}
			return c.print(found, func() error {
				if len(found.Items) == 0 {
					c.say("nothing is being deleted")
					return nil
				}
				t := newTable("PROJECT", "ENVIRONMENT", "AGE", "LEFT")
				for _, d := range found.Items {
					environment := ""
					if d.Kind == client.DeletionKindEnvironment {
						environment = d.Name
					}
					t.add(d.Project, environment, took(c.now().Sub(d.RequestedAt)), leftWords(d.Left))
				}
				return c.printTable(t)
			})
		},
	}
}

func yesFlag(command *cobra.Command, yes *bool) {
	command.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

// confirmDelete asks for the name of what is to be deleted, which cannot be typed by habit as a y can.
func (c *cli) confirmDelete(ctx context.Context, what, along, name string, yes bool) error {
	if yes {
		return nil
	}
	if !c.screen.stdin {
		return &shownError{message: "there is no terminal to ask on whether to delete " + what, fix: "pass --yes", exit: exitUsage}
	}
	c.say("This deletes %s %s.", clean(what), along)
	typed, err := c.askLine(ctx, "Type its name to go on")
	if err != nil {
		return err
	}
	if typed != name {
		return &shownError{message: "not deleted"}
	}
	return nil
}

// followDeletion asks for a deletion and shows what is left until that is nothing.
func (c *cli) followDeletion(ctx context.Context, api *client.ClientWithResponses, what string, request func() (*client.Deletion, error)) error {
	d, err := request()
	if err != nil {
		return err
	}
	if err := c.untilGone(ctx, api, what, d); err != nil {
		return err
	}
	d.Left = []client.LeftOver{}
	return c.print(d, func() error { return c.line("%s is gone", clean(what)) })
}

// untilGone looks at a deletion until the API does not know it any more, and tells what changes.
func (c *cli) untilGone(ctx context.Context, api *client.ClientWithResponses, what string, d *client.Deletion) error {
	shown, silent := "", map[string]bool{}
	for {
		if now := leftWords(d.Left); now != shown {
			c.say("removing %s: %s", clean(what), now)
			shown = now
		}
		c.tellSilentHosts(d.Left, silent)
		if err := sleep(ctx, c.pollEvery); err != nil {
			return &shownError{
				message: "interrupted: " + what + " is deleted, and its removal goes on", calm: true, exit: exitInterrupted,
				hints: []string{"see what is left: slipway deletions"},
			}
		}
		next, err := ask[client.Deletion](api.GetDeletionWithResponse(ctx, d.ID))
		var answered *apiError
		if errors.As(err, &answered) && answered.status == http.StatusNotFound {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			d = next
		}
	}
}

// tellSilentHosts says once of each host that it does not answer: until it is back, nothing of it can be removed.
func (c *cli) tellSilentHosts(things []client.LeftOver, told map[string]bool) {
	for _, l := range things {
		if l.Host == nil || told[*l.Host] || l.HostSeenAt != nil && c.now().Sub(*l.HostSeenAt) < hostSilence {
			continue
		}
		told[*l.Host] = true
		c.say("waiting for host %s, last seen %s, which holds %s %s", clean(*l.Host), c.stamp(l.HostSeenAt), l.Kind, clean(l.Name))
	}
}

// leftWords counts what is left by kind.
func leftWords(things []client.LeftOver) string {
	counts := map[string]int{}
	var kinds, parts []string
	for _, l := range things {
		if counts[l.Kind]++; !slices.Contains(kinds, l.Kind) {
			kinds = append(kinds, l.Kind)
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		plural := "s"
		if counts[kind] == 1 {
			plural = ""
		}
		parts = append(parts, fmt.Sprintf("%d %s%s", counts[kind], strings.ReplaceAll(kind, "_", " "), plural))
	}
	if len(parts) == 0 {
		return "only rows are left"
	}
	return strings.Join(parts, ", ")
}
