package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

const previewsLong = `A preview is the running container of what is live in an environment. Previews of branches and pull requests fall asleep when nobody
asks for them (SLIPWAY_PREVIEW_IDLE) and wake with the next request, which waits for it; they are stopped when their time is over
(SLIPWAY_PREVIEW_TTL after the last deploy). Production does neither.

A preview is named as its deployment, by id or PROJECT#NUMBER. A PROJECT means what is live in it: with --environment there, else in
production, or where the only preview is.`

func (c *cli) previewsCommand() *cobra.Command {
	var environment string
	list := c.previewsList(&environment)
	command := c.group(&cobra.Command{
		Use: "previews", Aliases: []string{"preview"}, Short: "List, stop, start, extend and pin previews", Long: previewsLong,
		Example: `  slipway previews list shop
  slipway previews stop shop --environment branch/cart
  slipway previews extend shop#41 --by 7d
  slipway previews stats shop --follow`,
	}, list, c.previewsShow(&environment), c.previewsStop(&environment), c.previewsStart(&environment), c.previewsExtend(&environment),
		c.previewsPin(&environment), c.previewsUnpin(&environment), c.previewsStats(&environment))
	command.PersistentFlags().StringVarP(&environment, "environment", "e", "", "for a PROJECT: in the environment called `name`, e.g. branch/cart")
	unknown := command.RunE
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args)
		}
		return list.RunE(cmd, nil)
	}
	return command
}

func (c *cli) previewsList(environment *string) *cobra.Command {
	var state string
	var everywhere bool
	command := &cobra.Command{
		Use: "list [PROJECT]", Aliases: []string{"ls"}, Short: "List previews, newest deployment first", Args: cobra.MaximumNArgs(1),
		Long: `List what is live in each environment, asleep or stopped too, and what was replaced and still stands. Without PROJECT, in a
git checkout, of the project that deploys its repository; outside of one, and with --all, of all projects. CPU is in cores.`,
		Example: `  slipway previews list
  slipway previews list shop --state asleep
  slipway previews list --all --output json | jq -r '.items[] | select(.condition == "crash_looping") | .url'`,
	}
	command.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := c.api()
		if err != nil {
			return err
		}
		project := argument(args)
		if everywhere && project != "" {
			return usageError(cmd, "--all and PROJECT exclude each other")
		}
		if project == "" && !everywhere {
			if project, err = c.projectHere(cmd.Context(), api); err != nil {
				return err
			}
		}
		found, err := listPreviews(cmd.Context(), api, client.ListPreviewsParams{
			Project: filled(project), Environment: filled(*environment), State: filled(client.PreviewState(state)),
		}, 0)
		if err != nil {
			return err
		}
		return c.print(found, func() error { return c.printPreviews(found.Items) })
	}
	command.Flags().BoolVarP(&everywhere, "all", "a", false, "of all projects, in a checkout too")
	states := make([]string, 0, len(words.PreviewStates()))
	for _, s := range words.PreviewStates() {
		states = append(states, string(s))
	}
	command.Flags().Var(&choice{&state, states}, "state", "only in this state")
	return command
}

func (c *cli) printPreviews(items []client.Preview) error {
	if len(items) == 0 {
		c.say("no previews: `slipway deploy PROJECT` makes one")
		return nil
	}
	t := newTable("PREVIEW", "ENVIRONMENT", "STATE", "IDLE", "CPU", "MEMORY", "EXPIRES", "URL")
	t.paint = 2
	for _, p := range items {
		t.add(previewName(p), p.Environment.Name, c.stateNow(p), idleWords(p.IdleSeconds), cpuWords(p.Usage), memoryWords(p.Usage), c.expiresWords(p), addressOf(p))
	}
	return c.printTable(t)
}

func (c *cli) previewsShow(environment *string) *cobra.Command {
	return &cobra.Command{
		Use: "show [DEPLOYMENT|PROJECT]", Short: "Show a preview", Args: cobra.MaximumNArgs(1),
		Long:    "Show how a preview stands: its addresses, how long it may run, when it falls asleep, and why it could not be started.",
		Example: "  slipway previews show shop\n  slipway previews show shop --environment branch/cart\n  slipway previews show shop#41 --output json | jq .expires_at",
		RunE: c.onPreview(environment, func(_ context.Context, _ *client.ClientWithResponses, p *client.Preview) error {
			return c.print(p, func() error { return c.printPreview(*p) })
		}),
	}
}

func (c *cli) printPreview(p client.Preview) error {
	var sheet pairs
	sheet.add("preview", previewName(p))
	sheet.add("deployment", p.DeploymentID)
	sheet.add("environment", p.Environment.Name)
	sheet.add("state", stateWords(p)+", since "+c.stamp(&p.UpdatedAt))
	sheet.add("url", p.URL)
	sheet.add("environment url", p.Environment.URL)
	sheet.add("host", p.Host)
	if p.Live {
		sheet.add("idle for", idleWords(p.IdleSeconds))
		if p.SleepsAt != nil {
			sheet.add("falls asleep", c.stamp(p.SleepsAt)+", unless a request comes")
		}
		expires := c.expiresWords(p)
		if p.ExpiresAt != nil {
			expires = c.stamp(p.ExpiresAt) + ", " + expires
		}
		sheet.add("expires", expires)
	}
	sheet.addUsage(c, p.Usage)
	if p.NextAttemptAt != nil {
		sheet.add("tried again", c.stamp(p.NextAttemptAt)+", or when somebody visits or starts it")
	}
	if f := p.Failure; f != nil {
		sheet.add("failed", f.Message)
		sheet.add("class", fmt.Sprintf("%s (%s)", f.Class, f.Code))
		sheet.add("fix", text(f.Fix))
	}
	if err := c.printPairs(sheet); err != nil || p.Failure == nil {
		return err
	}
	for _, line := range p.Failure.Lines {
		if err := c.line("  | %s", clean(line)); err != nil {
			return err
		}
	}
	return nil
}
