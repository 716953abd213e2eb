package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) temporalCommand() *cobra.Command {
	var printOnly bool
	command := &cobra.Command{
		Use: "temporal [DEPLOYMENT]", Short: "Open a deployment's workflow in Temporal's Web UI", Args: cobra.MaximumNArgs(1),
		Long: `Print the link to a deployment's workflow in Temporal's Web UI and open it in a browser where there is a display: every step,
attempt and error as Temporal has them. Without DEPLOYMENT it is the newest of the project of this git checkout.`,
		Example: "  slipway temporal\n  slipway temporal shop#3\n  slipway temporal shop --print",
		RunE: c.onDeployment(func(ctx context.Context, _ *client.ClientWithResponses, d *client.Deployment) error {
			if d.TemporalURL == nil {
				return &shownError{
					message: "the API has no link to the workflow " + d.WorkflowID,
					fix:     "a deployment that waits for its turn has no workflow yet (slipway show " + name(*d) + "); else set SLIPWAY_TEMPORAL_UI_URL where the API runs",
				}
			}
			return c.lead(ctx, *d.TemporalURL, printOnly)
		}),
	}
	command.Flags().BoolVar(&printOnly, "print", false, "print the link and open nothing")
	return command
}
