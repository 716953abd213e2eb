package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) cancelCommand() *cobra.Command {
	var wait bool
	command := &cobra.Command{
		Use: "cancel DEPLOYMENT", Short: "Cancel a deployment", Args: cobra.ExactArgs(1),
		Long: `Cancel a deployment that has not ended. It is "canceling" until everything it made is verified gone, then "canceled".
With --wait the command ends then, with exit code 0, or 1 when the deployment ended otherwise: it may have become ready
in the same moment.`,
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
		if err := c.print(d, func() error { return c.line("%s is %s", name(*d), d.Status) }); err != nil {
			return err
		}
		if over(d.Status) && d.Status != client.DeploymentStatusCanceled {
			return &shownError{message: fmt.Sprintf("%s was not canceled: it is %s", name(*d), d.Status)}
		}
		return nil
	})
	return command
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
