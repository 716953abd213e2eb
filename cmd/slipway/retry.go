package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) retryCommand() *cobra.Command {
	var shown watch
	command := &cobra.Command{
		Use: "retry DEPLOYMENT", Short: "Run a deployment again that failed or was canceled", Args: cobra.ExactArgs(1),
		Long: `Run a deployment again that failed or was canceled: the same deployment with the same commit. What its earlier runs made
and still stands is used again; env vars and settings are read anew. One that is ready, or that a newer one has replaced,
is not retried: deploy again.

With --follow it shows the steps until the preview is live, as "slipway deploy --follow" does, with the same exit codes.`,
		Example: "  slipway retry shop\n  slipway retry shop#3 --follow",
	}
	shown.flags(command)
	command.RunE = c.onDeployment(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
		d, err := ask[client.Deployment](api.RetryDeploymentWithResponse(ctx, d.ID))
		if err != nil {
			return err
		}
		if shown.follow {
			return c.follow(ctx, api, *d, shown.logs)
		}
		return c.print(d, func() error { return c.line("%s is %s again", name(*d), d.Status) })
	})
	return command
}
