package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

// previewName is how people call a preview: as its deployment.
func previewName(p client.Preview) string { return fmt.Sprintf("%s#%d", p.Project, p.Number) }

// preview finds what an argument means: a deployment by id or PROJECT#NUMBER, or what is live in a PROJECT, in the environment if one
// is named. Without an argument the project of the checkout is meant.
func (c *cli) preview(ctx context.Context, api *client.ClientWithResponses, given, environment string) (*client.Preview, error) {
	switch {
	case idForm.MatchString(given):
		return ask[client.Preview](api.GetPreviewWithResponse(ctx, given))
	case strings.Contains(given, "#"):
		d, err := deployment(ctx, api, given)
		if err != nil {
			return nil, err
		}
		return ask[client.Preview](api.GetPreviewWithResponse(ctx, d.ID))
	}
	project, err := c.theProject(ctx, api, given)
	if err != nil {
		return nil, err
	}
	found, err := listPreviews(ctx, api, client.ListPreviewsParams{Project: &project, Environment: filled(environment)}, 0)
	if err != nil {
		return nil, err
	}
	return chosenPreview(project, environment, found.Items)
}

// chosenPreview is the one of a project's previews that is meant when none is named: production's, or the only one.
func chosenPreview(project, environment string, all []client.Preview) (*client.Preview, error) {
	all = slices.DeleteFunc(all, func(p client.Preview) bool { return !p.Live })
	production := slices.IndexFunc(all, func(p client.Preview) bool { return p.Environment.Kind == client.EnvironmentKindProduction })
	switch {
	case production >= 0:
		return &all[production], nil
	case len(all) == 1:
		return &all[0], nil
	case len(all) == 0 && environment != "":
		return nil, &shownError{message: fmt.Sprintf("nothing is live in %s of project %s", environment, project), fix: "`slipway previews list " + project + "` shows where something is"}
	case len(all) == 0:
		return nil, &shownError{message: fmt.Sprintf("nothing of project %s is live", project), fix: "deploy it with `slipway deploy " + project + " --follow`"}
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = previewName(p) + " (" + p.Environment.Name + ")"
	}
	return nil, &shownError{
		message: fmt.Sprintf("project %s has %d previews: %s", project, len(all), strings.Join(names, ", ")), exit: exitUsage,
		fix: "name one, as in " + previewName(all[0]) + ", or its environment with --environment",
	}
}

// onPreview makes the RunE of a command whose one argument names a preview.
func (c *cli) onPreview(environment *string, do func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		api, err := c.api()
		if err != nil {
			return err
		}
		p, err := c.preview(cmd.Context(), api, argument(args), *environment)
		if err != nil {
			return err
		}
		return do(cmd.Context(), api, p)
	}
}

// onPreviewed is onDeployment for what has a preview: a PROJECT means what is live in it rather than what is newest.
func (c *cli) onPreviewed(do func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error) func(*cobra.Command, []string) error {
	return c.onPreview(new(string), func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
		d, err := ask[client.Deployment](api.GetDeploymentWithResponse(ctx, p.DeploymentID))
		if err != nil {
			return err
		}
		return do(ctx, api, d)
	})
}

// listPreviews gathers pages until there are limit previews; 0 means all.
func listPreviews(ctx context.Context, api *client.ClientWithResponses, params client.ListPreviewsParams, limit int) (*client.PreviewList, error) {
	all := &client.PreviewList{Items: []client.Preview{}}
	for {
		params.Limit = new(wanted(limit, len(all.Items)))
		page, err := ask[client.PreviewList](api.ListPreviewsWithResponse(ctx, &params))
		if err != nil {
			return nil, err
		}
		all.Items, all.NextCursor, params.Cursor = append(all.Items, page.Items...), page.NextCursor, page.NextCursor
		if page.NextCursor == nil || limit > 0 && len(all.Items) >= limit {
			return all, nil
		}
	}
}
