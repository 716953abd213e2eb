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
outside of one, and with --all, of all projects.

Of those that are live it shows how their previews stand: the state (of one that did not come up also when it is tried again), the time since the last request, the CPU (in cores) and memory
that they use, and when they are stopped. In --output json that is "preview" of each; "slipway previews" shows the rest.`,
		Example: `  slipway ps
  slipway ps --all
  slipway ps shop --environment production --limit 5
  slipway ps --status building,releasing
  slipway ps shop --status failed --output json | jq -r '.items[].failure.message'
  slipway ps --status ready --output json | jq '.items[].preview.usage.memory_bytes'`,
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
			shown, err := withPreviews(cmd.Context(), api, *found, client.ListPreviewsParams{Project: filter.Project, Environment: filter.Environment})
			if err != nil {
				return err
			}
			return c.print(shown, func() error { return c.printDeployments(shown.Items) })
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

// deploymentList is the API's list, each deployment with its preview.
type deploymentList struct {
	Items      []previewedDeployment `json:"items"`
	NextCursor *string               `json:"next_cursor"`
}

type previewedDeployment struct {
	client.Deployment
	Preview *client.Preview `json:"preview"` // nil for one that is not live and has left nothing that stands
}

// withPreviews adds to deployments their previews.
func withPreviews(ctx context.Context, api *client.ClientWithResponses, found client.DeploymentList, filter client.ListPreviewsParams) (deploymentList, error) {
	list := deploymentList{Items: make([]previewedDeployment, len(found.Items)), NextCursor: found.NextCursor}
	for i, d := range found.Items {
		list.Items[i].Deployment = d
	}
	if !slices.ContainsFunc(found.Items, live) {
		return list, nil
	}
	previews, err := listPreviews(ctx, api, filter, 0)
	if err != nil {
		return list, err
	}
	byID := map[string]*client.Preview{}
	for i, p := range previews.Items {
		byID[p.DeploymentID] = &previews.Items[i]
	}
	for i := range list.Items {
		list.Items[i].Preview = byID[list.Items[i].ID]
	}
	return list, nil
}

func (c *cli) printDeployments(items []previewedDeployment) error {
	if len(items) == 0 {
		c.say("no deployments: `slipway deploy PROJECT` makes one")
		return nil
	}
	t := newTable("DEPLOYMENT", "ENVIRONMENT", "STATUS", "STEP", "REF", "COMMIT", "AGE", "STATE", "IDLE", "CPU", "MEMORY", "EXPIRES", "PREVIEW")
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
		row := []string{name(d.Deployment), d.Environment.Name, string(d.Status), step, text(d.Ref), short(d.Commit), took(c.now().Sub(d.CreatedAt))}
		t.add(append(append(row, c.previewCells(d.Preview)...), url)...)
	}
	return c.printTable(t)
}

// previewCells are the columns that a list of deployments has of their previews.
func (c *cli) previewCells(p *client.Preview) []string {
	if p == nil {
		return make([]string, 5)
	}
	return []string{c.stateNow(*p), idleWords(p.IdleSeconds), cpuWords(p.Usage), memoryWords(p.Usage), c.expiresWords(*p)}
}

func joined[T ~string](values []T) string {
	plain := make([]string, len(values))
	for i, v := range values {
		plain[i] = string(v)
	}
	return strings.Join(plain, ", ")
}
