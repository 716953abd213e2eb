package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) environmentsCommand() *cobra.Command {
	var project string
	command := c.group(&cobra.Command{
		Use: "environments", Aliases: []string{"environment"}, Short: "List, show, change and delete environments",
		Long: `An environment is a place that a project is deployed to: production, branch/<name> or pr/<number>. Its first deployment makes it.
ENVIRONMENT is a name or an id. Without --project the project of the git checkout is meant;
outside of one, the only project there is.`,
		Example: "  slipway environments list --project shop\n  slipway environments delete branch/cart --project shop",
	}, c.environmentsList(&project), c.environmentsShow(&project), c.environmentsUpdate(&project), c.environmentsDelete(&project))
	command.PersistentFlags().StringVarP(&project, "project", "p", "", "the `project`, by name or id")
	return command
}

func (c *cli) environmentsList(project *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List a project's environments", Args: cobra.NoArgs,
		Long:    "List the environments of a project with their addresses and what is live in each.",
		Example: "  slipway environments list --project shop\n  slipway environments list -p shop --output json | jq -r '.items[].url'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			of, err := c.theProject(cmd.Context(), api, *project)
			if err != nil {
				return err
			}
			found, err := listEnvironments(cmd.Context(), api, of)
			if err != nil {
				return err
			}
			return c.print(found, func() error {
				if len(found.Items) == 0 {
					c.say("%s has no environments: its first deployment makes one", of)
					return nil
				}
				t := newTable("ENVIRONMENT", "LIVE", "AGE", "URL")
				for _, e := range found.Items {
					t.add(e.Name, liveIn(e), took(c.now().Sub(e.CreatedAt)), e.URL)
				}
				return c.printTable(t)
			})
		},
	}
}

// liveIn names the deployment that is live in an environment, "" for none.
func liveIn(e client.Environment) string {
	if e.LiveDeployment == nil {
		return ""
	}
	return fmt.Sprintf("%s#%d", e.Project, e.LiveDeployment.Number)
}

func (c *cli) environmentsShow(project *string) *cobra.Command {
	return &cobra.Command{
		Use: "show ENVIRONMENT", Short: "Show an environment", Args: cobra.ExactArgs(1),
		Long:    "Show where an environment is reached and what is live in it.",
		Example: "  slipway environments show production --project shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			e, err := c.environment(cmd.Context(), api, *project, args[0])
			if err != nil {
				return err
			}
			return c.print(e, func() error { return c.printEnvironment(*e) })
		},
	}
}

func (c *cli) printEnvironment(e client.Environment) error {
	var sheet pairs
	sheet.add("environment", e.Name)
	sheet.add("id", e.ID)
	sheet.add("kind", string(e.Kind))
	sheet.add("project", e.Project)
	sheet.add("url", e.URL)
	sheet.add("live", liveIn(e))
	sheet.add("order policy", string(e.OrderPolicy))
	sheet.add("created", c.stamp(&e.CreatedAt))
	return c.printPairs(sheet)
}

func (c *cli) environmentsDelete(project *string) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use: "delete ENVIRONMENT", Aliases: []string{"rm"}, Short: "Delete an environment with its previews", Args: cobra.ExactArgs(1),
		Long: `Delete an environment, production too, with its variables, deployments, previews and images. There is no way back. What is
under way in it is canceled. A deploy to the same name makes it anew. ` + deleteLong,
		Example: "  slipway environments delete branch/cart --project shop\n  slipway environments delete pr/42 --project shop --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			e, err := c.environment(cmd.Context(), api, *project, args[0])
			if err != nil {
				return err
			}
			what := fmt.Sprintf("environment %s of %s", e.Name, e.Project)
			if err := c.confirmDelete(cmd.Context(), what, "with its variables, deployments and previews", e.Name, yes); err != nil {
				return err
			}
			return c.followDeletion(cmd.Context(), api, what, func() (*client.Deletion, error) {
				return ask[client.Deletion](api.DeleteEnvironmentWithResponse(cmd.Context(), e.ID))
			})
		},
	}
	yesFlag(command, &yes)
	return command
}

// environment finds the environment that an ENVIRONMENT argument names.
func (c *cli) environment(ctx context.Context, api *client.ClientWithResponses, project, given string) (*client.Environment, error) {
	if idForm.MatchString(given) {
		return ask[client.Environment](api.GetEnvironmentWithResponse(ctx, given))
	}
	project, err := c.theProject(ctx, api, project)
	if err != nil {
		return nil, err
	}
	found, err := listEnvironments(ctx, api, project)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found.Items, func(e client.Environment) bool { return e.Name == given })
	if i < 0 {
		return nil, &shownError{
			message: fmt.Sprintf("no environment of %s is called %q", project, given),
			fix:     "`slipway environments list --project " + project + "` shows their names",
		}
	}
	return &found.Items[i], nil
}

// listEnvironments gathers all pages.
func listEnvironments(ctx context.Context, api *client.ClientWithResponses, project string) (*client.EnvironmentList, error) {
	all := &client.EnvironmentList{Items: []client.Environment{}}
	params := client.ListEnvironmentsParams{Limit: new(pageSize)}
	for {
		page, err := ask[client.EnvironmentList](api.ListEnvironmentsWithResponse(ctx, project, &params))
		if err != nil {
			return nil, err
		}
		all.Items, params.Cursor = append(all.Items, page.Items...), page.NextCursor
		if page.NextCursor == nil {
			return all, nil
		}
	}
}
