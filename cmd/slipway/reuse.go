package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

const rollbackLong = `Go back to what was live in an environment before: a new deployment that runs the image of an earlier one, so that nothing is
fetched, planned or built. Its env vars are the environment's of now; those of the build are in the image.

Without --to it is the newest deployment that was live before what is live now. Each of several rollbacks in a row goes one
further back. With --to it is that one; it must have been live in the environment. Rolling forward again is a rollback --to the
deployment that was live. When the image is gone from the registry the rollback fails with image.gone, and what is live stays
live: deploy the commit again.

` + reuseLong

const promoteLong = `Deploy an image that has been live in another environment of the project, without building it again: what was tried there is
what runs here, byte for byte. It takes the env vars of the environment that it comes to; those of the build are in the image,
so that a frontend that was built with another environment's address keeps it. The environment is one that the project
has: "slipway environments list" shows them.

` + reuseLong

const reuseLong = `Without --follow the command ends as soon as the deployment is accepted; with it, when the preview is live. Exit codes are those
of "slipway deploy".`

func (c *cli) rollbackCommand() *cobra.Command {
	var shown watch
	var project, to, key string
	command := &cobra.Command{
		Use: "rollback ENVIRONMENT", Short: "Go back to what was live before", Args: cobra.ExactArgs(1), Long: rollbackLong,
		Example: `  slipway rollback production --project shop --follow
  slipway rollback production --to shop#41 --follow
  slipway rollback production --project shop --idempotency-key "incident-7"
  slipway ps shop --environment production --status ready    # what there is to go back to`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.rollback(cmd.Context(), project, args[0], to, key, shown)
		},
	}
	command.Flags().StringVarP(&project, "project", "p", "", "the `project`, by name or id")
	command.Flags().StringVar(&to, "to", "", "the `deployment` to go back to, such as shop#41")
	keyFlag(command, &key)
	shown.flags(command)
	return command
}

func (c *cli) rollback(ctx context.Context, project, environment, to, key string, shown watch) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	var body client.Rollback
	if to != "" {
		d, err := deployment(ctx, api, to)
		if err != nil {
			return err
		}
		body.Deployment, project = &d.ID, orElse(project, d.Project)
	}
	e, err := c.environment(ctx, api, project, environment)
	if err != nil {
		return err
	}
	resp, err := api.RollbackEnvironmentWithResponse(ctx, e.ID, &client.RollbackEnvironmentParams{IdempotencyKey: keyOf(key)}, body)
	d, err := ask[client.Deployment](resp, err)
	if err != nil {
		return unanswered(ctx, e.Project, err)
	}
	return c.accepted(ctx, api, *d, keySeen(key, resp.HTTPResponse), shown)
}

func (c *cli) promoteCommand() *cobra.Command {
	var shown watch
	var to, key string
	command := &cobra.Command{
		Use: "promote DEPLOYMENT", Short: "Deploy an image to another environment as it is", Args: cobra.ExactArgs(1), Long: promoteLong,
		Example: `  slipway promote shop#41 --follow                        # to production
  slipway promote shop#41 --to branch/staging
  slipway promote shop#41 --idempotency-key "$CI_JOB_ID" --follow`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.promote(cmd.Context(), args[0], to, key, shown)
		},
	}
	command.Flags().StringVar(&to, "to", "production", "the `environment` to deploy it to")
	keyFlag(command, &key)
	shown.flags(command)
	return command
}

func (c *cli) promote(ctx context.Context, given, to, key string, shown watch) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	source, err := deployment(ctx, api, given)
	if err != nil {
		return err
	}
	e, err := c.environment(ctx, api, source.Project, to)
	if err != nil {
		return err
	}
	resp, err := api.PromoteDeploymentWithResponse(ctx, e.ID, &client.PromoteDeploymentParams{IdempotencyKey: keyOf(key)}, client.Promotion{Deployment: source.ID})
	d, err := ask[client.Deployment](resp, err)
	if err != nil {
		return unanswered(ctx, e.Project, err)
	}
	return c.accepted(ctx, api, *d, keySeen(key, resp.HTTPResponse), shown)
}
