package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

func (c *cli) previewsStop(environment *string) *cobra.Command {
	var noWait bool
	command := &cobra.Command{
		Use: "stop DEPLOYMENT|PROJECT", Short: "Stop a preview and remove its container", Args: cobra.ExactArgs(1),
		Long: `Stop a preview, production too, and wait until its container is verified gone. Visitors are told that it is stopped. Its
image stays: "slipway previews start" makes it anew, and so does the next deploy. Ctrl-C ends the wait alone.`,
		Example: "  slipway previews stop shop --environment branch/cart\n  slipway previews stop shop#41 --no-wait",
	}
	command.Flags().BoolVar(&noWait, "no-wait", false, "end at once, and do not wait until it is stopped")
	command.RunE = c.onPreview(environment, func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
		p, err := ask[client.Preview](api.StopPreviewWithResponse(ctx, p.DeploymentID))
		if err == nil && !noWait {
			p, err = c.untilSettled(ctx, api, p, "stopped")
		}
		if err != nil {
			return err
		}
		return c.print(p, func() error { return c.line("%s is %s", previewName(*p), stateWords(*p)) })
	})
	return command
}

func (c *cli) previewsStart(environment *string) *cobra.Command {
	var noWait bool
	command := &cobra.Command{
		Use: "start DEPLOYMENT|PROJECT", Short: "Start a preview that is stopped, or wake one", Args: cobra.ExactArgs(1),
		Long: `Start a preview that was stopped, whose time was over, or that could not be started before, from its image and with its
env vars as they are now; or wake one that is asleep. Waits until it answers, and says why when it does not: it is tried again by
itself then, as "slipway previews show" tells. One whose time was over has all of it again. Ctrl-C ends the wait alone. The release command is not run again.`,
		Example: "  slipway previews start shop --environment branch/cart\n  slipway previews start shop#41 --no-wait",
	}
	command.Flags().BoolVar(&noWait, "no-wait", false, "end at once, and do not wait until it answers")
	command.RunE = c.onPreview(environment, func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
		p, err := ask[client.Preview](api.StartPreviewWithResponse(ctx, p.DeploymentID))
		if err == nil && !noWait {
			if p, err = c.untilSettled(ctx, api, p, "started"); err == nil && p.State != client.PreviewStateLive {
				return c.notStarted(*p)
			}
		}
		if err != nil {
			return err
		}
		return c.print(p, func() error { return c.line("%s is %s: %s", previewName(*p), stateWords(*p), clean(addressOf(*p))) })
	})
	return command
}

// notStarted is a preview that was to start and did not.
func (c *cli) notStarted(p client.Preview) error {
	if c.json() {
		if err := c.printLine(p); err != nil {
			return err
		}
	}
	f := &shownError{message: fmt.Sprintf("%s was not started: it is %s", previewName(p), stateWords(p)), exit: exitFailedOther}
	if p.Failure == nil {
		return f
	}
	f.message = fmt.Sprintf("%s was not started: %s", previewName(p), p.Failure.Message)
	f.lines, f.fix = p.Failure.Lines, text(p.Failure.Fix)
	if p.NextAttemptAt != nil {
		f.hints = []string{"it is tried again by itself, the next time at " + c.stamp(p.NextAttemptAt)}
	}
	if p.Failure.Class == client.FailureClassUser {
		f.exit = exitFailedUser
	}
	return f
}

// untilSettled looks at a preview until nothing that was asked for is left to do, and tells what changes.
func (c *cli) untilSettled(ctx context.Context, api *client.ClientWithResponses, p *client.Preview, being string) (*client.Preview, error) {
	for shown := ""; unsettled(*p); {
		if now := stateWords(*p); now != shown {
			c.say("%s is %s", previewName(*p), now)
			shown = now
		}
		if err := sleep(ctx, c.pollEvery); err != nil {
			return nil, &shownError{
				message: fmt.Sprintf("interrupted: %s is still being %s", previewName(*p), being), calm: true, exit: exitInterrupted,
				hints: []string{"look at it: slipway previews show " + previewName(*p)},
			}
		}
		next, err := ask[client.Preview](api.GetPreviewWithResponse(ctx, p.DeploymentID))
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil {
			p = next
		}
	}
	if !p.Live {
		return nil, &shownError{message: previewName(*p) + " was replaced by a newer deployment meanwhile", fix: "`slipway previews list " + p.Project + "` shows what is live"}
	}
	return p, nil
}

// unsettled reports whether something is being done with a preview.
func unsettled(p client.Preview) bool {
	if !p.Live {
		return false
	}
	switch words.PreviewCondition(text(p.Condition)) {
	case words.ConditionStarting, words.ConditionWaking, words.ConditionStopping:
		return true
	default:
		return p.State == client.PreviewStateStarting
	}
}

func (c *cli) previewsExtend(environment *string) *cobra.Command {
	var by, until string
	command := &cobra.Command{
		Use: "extend DEPLOYMENT|PROJECT", Short: "Let a preview run longer", Args: cobra.ExactArgs(1),
		Long: `Put off the end of a preview: --by adds to it, --until names it. It is never brought forward: "slipway previews stop" does that.
Production has no end, and neither has one that is pinned.`,
		Example: `  slipway previews extend shop --environment branch/cart --by 7d
  slipway previews extend shop#41 --by 12h
  slipway previews extend shop#41 --until 2027-01-31`,
	}
	command.Flags().StringVar(&by, "by", "", "how much longer: a `length` such as 12h or 7d")
	command.Flags().StringVar(&until, "until", "", "until `when`: 2027-01-31, a time as RFC 3339, or a length from now such as 14d")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		longer, err := lengthOf(by)
		switch {
		case (by == "") == (until == ""):
			return usageError(cmd, "give either --by or --until")
		case by != "" && (err != nil || longer <= 0):
			return usageError(cmd, fmt.Sprintf("--by %q is no length of time; give one like 12h or 7d", by))
		}
		end, err := c.timeToCome("--until", until)
		if err != nil {
			return err
		}
		return c.onPreview(environment, func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
			if end == nil {
				end = new(laterOf(c.now(), p.ExpiresAt).Add(longer).UTC())
			}
			return c.shownLease(ask[client.Preview](api.ExtendPreviewWithResponse(ctx, p.DeploymentID, client.PreviewExtension{Until: *end})))
		})(cmd, args)
	}
	return command
}

func laterOf(now time.Time, other *time.Time) time.Time {
	if other != nil && other.After(now) {
		return *other
	}
	return now
}

func (c *cli) previewsPin(environment *string) *cobra.Command {
	return &cobra.Command{
		Use: "pin DEPLOYMENT|PROJECT", Short: "Keep a preview running", Args: cobra.ExactArgs(1),
		Long: `Let a preview neither sleep nor expire until it is unpinned. One that is asleep wakes. The pin is its environment's: it goes on to
what is deployed there next.`,
		Example: "  slipway previews pin shop --environment branch/cart\n  slipway previews pin shop#41",
		RunE: c.onPreview(environment, func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
			return c.shownLease(ask[client.Preview](api.PinPreviewWithResponse(ctx, p.DeploymentID)))
		}),
	}
}

func (c *cli) previewsUnpin(environment *string) *cobra.Command {
	return &cobra.Command{
		Use: "unpin DEPLOYMENT|PROJECT", Short: "Let a preview sleep and expire again", Args: cobra.ExactArgs(1),
		Long:    "Let a pinned preview sleep and expire again. Its time (SLIPWAY_PREVIEW_TTL) begins anew.",
		Example: "  slipway previews unpin shop --environment branch/cart\n  slipway previews unpin shop#41",
		RunE: c.onPreview(environment, func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
			return c.shownLease(ask[client.Preview](api.UnpinPreviewWithResponse(ctx, p.DeploymentID)))
		}),
	}
}

// shownLease says how long a preview may run.
func (c *cli) shownLease(p *client.Preview, err error) error {
	if err != nil {
		return err
	}
	return c.print(p, func() error {
		until := c.stamp(p.ExpiresAt)
		switch {
		case p.Pinned:
			until = "it is unpinned"
		case p.ExpiresAt == nil:
			until = "it is stopped or replaced"
		}
		return c.line("%s is %s, and may run until %s", previewName(*p), stateWords(*p), until)
	})
}
