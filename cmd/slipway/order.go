package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) environmentsUpdate(project *string) *cobra.Command {
	var policy string
	command := &cobra.Command{
		Use: "update ENVIRONMENT", Aliases: []string{"set"}, Short: "Change an environment's settings", Args: cobra.ExactArgs(1),
		Long: `Change what a new deploy does with deploys of the environment that have not ended: under order policy supersede, as every
environment begins, it takes their place and they end superseded; under queue it waits until they have ended, each in turn. Holds at
once, also for what is waiting or under way: a change to supersede lets the newest deploy begin, and ends the others.

A deploy that waits shows for which one and its place in the queue ("slipway show"); "slipway cancel" ends it at once.`,
		Example: "  slipway environments update production --project shop --order-policy queue\n  slipway environments update production --project shop --order-policy supersede",
		RunE: func(cmd *cobra.Command, args []string) error {
			set := client.EnvironmentUpdate{OrderPolicy: changed(cmd.Flags(), "order-policy", client.OrderPolicy(policy))}
			if set == (client.EnvironmentUpdate{}) {
				return usageError(cmd, "nothing to change: no setting is given")
			}
			api, err := c.api()
			if err != nil {
				return err
			}
			before, err := c.environment(cmd.Context(), api, *project, args[0])
			if err != nil {
				return err
			}
			e, err := ask[client.Environment](api.UpdateEnvironmentWithResponse(cmd.Context(), before.ID, set))
			if err != nil {
				return err
			}
			return c.print(e, func() error { return c.printEnvironment(*e) })
		},
	}
	policies := []string{string(client.OrderPolicySupersede), string(client.OrderPolicyQueue)}
	command.Flags().Var(&choice{&policy, policies}, "order-policy", "what a deploy does with older ones that have not ended")
	return command
}
