package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) previewsStats(environment *string) *cobra.Command {
	var follow bool
	command := &cobra.Command{
		Use: "stats [DEPLOYMENT|PROJECT]", Short: "Show what a preview uses and answers", Args: cobra.MaximumNArgs(1),
		Long: `Show what the container of a preview uses, as its host saw it last (every 15 seconds), and how the requests to its environment were
answered. With --follow it prints a line whenever a figure is new, until Ctrl-C or another deployment is live.`,
		Example: `  slipway previews stats shop
  slipway previews stats shop --environment branch/cart --follow
  slipway previews stats shop#41 --output json | jq .requests`,
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "go on with a line for each change")
	command.RunE = c.onPreview(environment, func(ctx context.Context, api *client.ClientWithResponses, p *client.Preview) error {
		if follow {
			return c.followStats(ctx, api, *p)
		}
		stats, err := ask[client.PreviewStats](api.GetPreviewStatsWithResponse(ctx, p.DeploymentID))
		if err != nil {
			return err
		}
		return c.print(stats, func() error { return c.printStats(*p, *stats) })
	})
	return command
}

func (c *cli) printStats(p client.Preview, s client.PreviewStats) error {
	var sheet pairs
	sheet.add("preview", previewName(p))
	sheet.add("environment", p.Environment.Name)
	sheet.add("state", stateWords(p))
	sheet.addUsage(c, s.Usage)
	if r := s.Requests; r != nil {
		sheet.add("requests", fmt.Sprintf("%d: %d of 2xx, %d of 3xx, %d of 4xx, %d of 5xx, %d upgrades", r.Total, r.Answered2Xx, r.Answered3Xx, r.Answered4Xx, r.Answered5Xx, r.Answered1Xx))
		sheet.add("last request", c.stamp(s.LastRequestAt))
		sheet.add("idle for", idleWords(s.IdleSeconds))
	}
	return c.printPairs(sheet)
}

// followStats prints the figures whenever they are new.
func (c *cli) followStats(ctx context.Context, api *client.ClientWithResponses, p client.Preview) error {
	if !c.json() {
		if err := c.statsLine("TIME", "STATE", "CPU", "MEMORY", "PIDS", "RESTARTS", "2XX", "3XX", "4XX", "5XX", "IDLE"); err != nil {
			return err
		}
	}
	var shown client.PreviewStats
	for {
		now, err := ask[client.PreviewStats](api.GetPreviewStatsWithResponse(ctx, p.DeploymentID))
		switch {
		case ctx.Err() != nil:
			return &shownError{message: fmt.Sprintf("interrupted: %s goes on", previewName(p)), calm: true, exit: exitInterrupted}
		case gone(err):
			return c.over(p)
		case err != nil:
			return err
		}
		if seen := withoutIdle(*now); !reflect.DeepEqual(seen, shown) {
			shown = seen
			if err := c.printStatsLine(*now); err != nil {
				return err
			}
		}
		if now.Requests == nil {
			return c.over(p)
		}
		_ = sleep(ctx, c.statsEvery) // the next request says that ctx is over
	}
}

func (c *cli) over(p client.Preview) error {
	c.say("%s is not live any more", previewName(p))
	return nil
}

// gone reports whether there is nothing to look at any more.
func gone(err error) bool {
	var answered *apiError
	return errors.As(err, &answered) && answered.status == http.StatusNotFound
}

// withoutIdle leaves out what changes by itself.
func withoutIdle(s client.PreviewStats) client.PreviewStats {
	s.IdleSeconds = nil
	return s
}

func (c *cli) printStatsLine(s client.PreviewStats) error {
	if c.json() {
		return c.printLine(s)
	}
	cells := []string{c.now().In(c.location).Format(clock), stateWords(client.Preview{Live: true, State: s.State, Condition: s.Condition}), cpuWords(s.Usage), memoryWords(s.Usage), "", ""}
	if u := s.Usage; u != nil && u.Current {
		cells[4], cells[5] = fmt.Sprint(u.Pids), fmt.Sprint(u.Restarts)
	}
	var r client.PreviewRequests
	if s.Requests != nil {
		r = *s.Requests
	}
	for _, n := range []int64{r.Answered2Xx, r.Answered3Xx, r.Answered4Xx, r.Answered5Xx} {
		cells = append(cells, fmt.Sprint(n))
	}
	return c.statsLine(append(cells, idleWords(s.IdleSeconds))...)
}

// statsLine writes cells in columns of a fixed width: what comes later is not known yet.
func (c *cli) statsLine(cells ...string) error {
	widths := []int{10, 15, 7, 16, 6, 10, 8, 8, 8, 8, 0}
	var line strings.Builder
	for i, cell := range cells {
		fmt.Fprintf(&line, "%-*s", widths[i], orDash(cell))
	}
	return c.line("%s", line.String())
}
