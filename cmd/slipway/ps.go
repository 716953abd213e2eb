package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

func (c *cli) psCommand() *cobra.Command {
	var statuses []string
	var environment string
	var limit int
	var everywhere bool
	command := &cobra.Command{
		Use: "ps [PROJECT]", Aliases: []string{"deployments"}, Short: "List deployments, newest first", Args: cobra.MaximumNArgs(1),
		Long: `List the newest deployments of a project. Without PROJECT, in a git checkout, of the project that deploys its repository;
outside of one, and with --all, of all projects.`,
		Example: `  slipway ps
  slipway ps --all
  slipway ps shop --environment production --limit 5
  slipway ps --status building,releasing
  slipway ps shop --status failed --output json | jq -r '.items[].failure.message'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if everywhere && len(args) > 0 {
				return usageError(cmd, "--all and PROJECT exclude each other")
			}
			if limit < 0 {
				return usageError(cmd, "--limit is below 0")
			}
			for _, status := range statuses {
				if !client.DeploymentStatus(status).Valid() {
					return usageError(cmd, fmt.Sprintf("%q is no status; there are %s", status, joined(words.Statuses())))
				}
			}
			api, err := c.api()
			if err != nil {
				return err
			}
			project := argument(args)
			if project == "" && !everywhere {
				if project, err = c.projectHere(cmd.Context(), api); err != nil {
					return err
				}
			}
			filter := client.ListDeploymentsParams{Project: filled(project), Environment: filled(environment)}
			found, err := deploymentsIn(cmd.Context(), api, filter, statuses, limit)
			if err != nil {
				return err
			}
			return c.print(found, func() error { return c.printDeployments(found.Items) })
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&everywhere, "all", "a", false, "of all projects, in a checkout too")
	flags.StringSliceVar(&statuses, "status", nil, "only in one of these `statuses`, separated by commas")
	flags.StringVarP(&environment, "environment", "e", "", "only in the environment called `name`, e.g. production or branch/main")
	flags.IntVarP(&limit, "limit", "n", 20, "list at most `n`; 0 lists all")
	return command
}

// projectHere returns the project of the checkout, "" when there is none or not exactly one.
func (c *cli) projectHere(ctx context.Context, api *client.ClientWithResponses) (string, error) {
	h, err := c.here(ctx, api)
	if err != nil || h == nil || len(h.projects) != 1 {
		return "", err
	}
	return h.projects[0].Name, nil
}

// deploymentsIn lists the newest deployments in any of the statuses, in all for none given. The API filters by one status at a
// time, so that there is no cursor to go on from when several lists are merged.
func deploymentsIn(ctx context.Context, api *client.ClientWithResponses, filter client.ListDeploymentsParams, statuses []string, limit int) (*client.DeploymentList, error) {
	if len(statuses) == 0 {
		return listDeployments(ctx, api, filter, limit)
	}
	all := &client.DeploymentList{Items: []client.Deployment{}}
	slices.Sort(statuses)
	for _, status := range slices.Compact(statuses) {
		filter.Status = new(client.DeploymentStatus(status))
		found, err := listDeployments(ctx, api, filter, limit)
		if err != nil {
			return nil, err
		}
		all.Items = append(all.Items, found.Items...)
	}
	slices.SortFunc(all.Items, func(a, b client.Deployment) int { return cmp.Compare(b.ID, a.ID) }) // ids rise with time
	all.Items = slices.CompactFunc(all.Items, func(a, b client.Deployment) bool { return a.ID == b.ID })
	if limit > 0 && len(all.Items) > limit {
		all.Items = all.Items[:limit]
	}
	return all, nil
}

func (c *cli) printDeployments(items []client.Deployment) error {
	if len(items) == 0 {
		c.say("no deployments: `slipway deploy PROJECT` makes one")
		return nil
	}
	t := newTable("DEPLOYMENT", "ENVIRONMENT", "STATUS", "STEP", "REF", "COMMIT", "AGE", "PREVIEW")
	t.paint = 2
	for _, d := range items {
		step := ""
		if d.Step != nil {
			step = string(d.Step.Name)
		} else if d.Failure != nil {
			step = text(d.Failure.Step)
		}
		url := d.PreviewURL
		if d.Status != client.DeploymentStatusReady {
			url = ""
		}
		t.add(name(d), d.Environment.Name, string(d.Status), step, text(d.Ref), short(d.Commit), took(c.now().Sub(d.CreatedAt)), url)
	}
	return c.printTable(t)
}

func joined[T ~string](values []T) string {
	plain := make([]string, len(values))
	for i, v := range values {
		plain[i] = string(v)
	}
	return strings.Join(plain, ", ")
}
