package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

func (c *cli) cancelCommand() *cobra.Command {
	var wait bool
	command := &cobra.Command{
		Use: "cancel DEPLOYMENT", Short: "Cancel a deployment", Args: cobra.ExactArgs(1),
		Long: `Cancel a deployment that has not ended. It is "canceling" until everything it made is verified gone, then "canceled"; one
that waits for an earlier deployment of its environment is "canceled" at once.
With --wait the command ends then and says what was undone, with exit code 0, or 1 when the deployment ended otherwise: it
may have become ready in the same moment.`,
		Example: "  slipway cancel shop\n  slipway cancel shop#3 --wait",
	}
	command.Flags().BoolVarP(&wait, "wait", "w", false, "wait until everything is verified gone")
	command.RunE = c.onDeployment(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
		d, err := ask[client.Deployment](api.CancelDeploymentWithResponse(ctx, d.ID))
		if err == nil && wait {
			d, err = c.untilOver(ctx, api, *d)
		}
		if err != nil {
			return err
		}
		if err := c.print(d, func() error { return c.sayCanceled(ctx, api, *d) }); err != nil {
			return err
		}
		if over(d.Status) && d.Status != client.DeploymentStatusCanceled {
			return &shownError{message: fmt.Sprintf("%s was not canceled: it is %s", name(*d), d.Status)}
		}
		return nil
	})
	return command
}

// sayCanceled says how a deployment stands after a cancel and, when it is over, what was undone.
func (c *cli) sayCanceled(ctx context.Context, api *client.ClientWithResponses, d client.Deployment) error {
	if d.Status != client.DeploymentStatusCanceled {
		return c.line("%s is %s", name(d), d.Status)
	}
	steps, err := ask[client.StepList](api.ListStepsWithResponse(ctx, d.ID))
	if err != nil {
		return err
	}
	receipt := make(words.Receipt, len(steps.Receipt))
	for i, u := range steps.Receipt {
		receipt[i] = words.Undone{Kind: words.ResourceKind(u.Kind), Name: u.Name, Host: text(u.Host)}
	}
	return c.line("%s is canceled: %s", name(d), orElse(receipt.String(), "there was nothing to undo"))
}

// printReceipt lists what a cancel undid, after the steps.
func (c *cli) printReceipt(receipt []client.Undone) error {
	if len(receipt) == 0 {
		return nil
	}
	t := newTable("UNDONE", "NAME", "TOOK", "GONE", "HOST")
	for _, u := range receipt {
		t.add(u.Kind, u.Name, took(time.Duration(u.TookMs)*time.Millisecond), u.GoneAt.In(c.location).Format(clock), text(u.Host))
	}
	return errors.Join(c.line(""), c.printTable(t))
}

// untilOver looks at a deployment until it has ended.
func (c *cli) untilOver(ctx context.Context, api *client.ClientWithResponses, d client.Deployment) (*client.Deployment, error) {
	for !over(d.Status) {
		if err := sleep(ctx, c.pollEvery); err != nil {
			return nil, &shownError{message: fmt.Sprintf("interrupted: %s is still being canceled", name(d)), calm: true, exit: exitInterrupted}
		}
		now, err := ask[client.Deployment](api.GetDeploymentWithResponse(ctx, d.ID))
		if err != nil {
			return nil, err
		}
		d = *now
	}
	return &d, nil
}
