package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

// maxLines is the most log lines that the API gives on one page.
const maxLines = 1000

func (c *cli) logsCommand() *cobra.Command {
	var follow, app bool
	var since int64
	command := &cobra.Command{
		Use: "logs [DEPLOYMENT]", Short: "Read or follow a deployment's log", Args: cobra.MaximumNArgs(1),
		Long: `Print a deployment's log: clone, plan, Dockerfile, every line of the build, push, start and readiness, and what the app
has printed since it is live. With -f it goes on until the deployment has ended; a broken connection is taken up again without a
lost or doubled line. With --app it is what the app has printed alone, and with -f it goes on for as long as the deployment is live, also
while it is asleep; a PROJECT means what is live in it then, production before all. Of a log that became too long (SLIPWAY_LOG_MAX_MB) the first
and the newest lines are kept; a line between them, with "cut" in --output json, says how many are not. Ctrl-C leaves the deployment running. The exit code says
whether the log was read, not how the deployment ended.`,
		Example: `  slipway logs
  slipway logs shop
  slipway logs -f shop#3
  slipway logs --app shop
  slipway logs --app -f shop#3
  slipway logs shop#3 --since-seq 1200 --output json | jq -r .text
  slipway logs shop#3 --output json | jq 'select(.cut).cut'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if since < 0 {
				return usageError(cmd, "--since-seq is below 0")
			}
			on := c.onDeployment
			if app {
				on = c.onPreviewed
			}
			read := on(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
				return c.logs(ctx, &stream{api: api, id: d.ID, last: since, app: app, sink: &logView{c: c}, pace: c.pace}, *d, follow)
			})
			return read(cmd, args)
		},
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "wait for further lines until the deployment has ended")
	command.Flags().BoolVar(&app, "app", false, "only what the app prints; with -f for as long as it is live")
	command.Flags().Int64Var(&since, "since-seq", 0, "leave out the lines up to number `seq`")
	return command
}

func (c *cli) logs(ctx context.Context, s *stream, d client.Deployment, follow bool) error {
	if !follow {
		_, err := s.pages(ctx)
		return err
	}
	status, err := s.run(ctx)
	if err != nil {
		return left(ctx, d, err)
	}
	if s.app && status == client.DeploymentStatusReady { // the stream goes on for as long as it is live
		c.say("%s is not live any more", name(d))
		return nil
	}
	c.say("%s is %s", name(d), c.paintErr(statusColour(string(status)), string(status)))
	return nil
}

// logView prints lines and nothing else.
type logView struct{ c *cli }

func (v *logView) line(l client.LogLine)     { _ = v.c.printLog(l) }
func (v *logView) status(client.StatusEvent) {}
func (v *logView) notice(text string)        { v.c.say("%s", text) }

func (c *cli) printLog(l client.LogLine) error {
	if c.json() {
		return c.printLine(l)
	}
	return c.line("%s", c.logText(l))
}

func (c *cli) logText(l client.LogLine) string {
	text := fmt.Sprintf("%s %-7s  %s", l.Time.In(c.location).Format(clock), clean(l.Step), clean(l.Text))
	if l.Cut != nil {
		return paint(c.coloured(), yellow, text)
	}
	return text
}
