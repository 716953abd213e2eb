package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
	domain "github.com/slipway-dev/slipway/internal/deployment"
)

// onDeployment makes the RunE of a command whose one argument is a DEPLOYMENT; without it, the newest of the checkout's project.
func (c *cli) onDeployment(do func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		api, err := c.api()
		if err != nil {
			return err
		}
		given := argument(args)
		if given == "" {
			if given, err = c.theProject(cmd.Context(), api, ""); err != nil {
				return err
			}
		}
		d, err := deployment(cmd.Context(), api, given)
		if err != nil {
			return err
		}
		return do(cmd.Context(), api, d)
	}
}

func (c *cli) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show [DEPLOYMENT]", Short: "Show a deployment", Args: cobra.MaximumNArgs(1),
		Long:    "Show how a deployment stands: its step, its addresses, what its build took, and if it failed, why and what to do.",
		Example: "  slipway show\n  slipway show shop\n  slipway show shop#3 --output json | jq .failure",
		RunE: c.onDeployment(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
			if d.Build == nil && d.ImageDigest != nil { // lists leave it out
				var err error
				if d, err = ask[client.Deployment](api.GetDeploymentWithResponse(ctx, d.ID)); err != nil {
					return err
				}
			}
			return c.print(d, func() error { return c.printDeployment(*d) })
		}),
	}
}

func (c *cli) printDeployment(d client.Deployment) error {
	var sheet pairs
	sheet.add("deployment", name(d))
	sheet.add("id", d.ID)
	sheet.add("environment", d.Environment.Name)
	sheet.add("status", string(d.Status))
	if d.Step != nil {
		sheet.add("step", c.stepWords(*d.Step))
	}
	sheet.add("ref", text(d.Ref))
	sheet.add("commit", text(d.Commit))
	sheet.add("image", text(d.ImageDigest))
	if err := sheet.addFigures(d.Build); err != nil {
		return err
	}
	sheet.add("preview", d.PreviewURL)
	sheet.add("environment url", d.EnvironmentURL)
	sheet.add("workflow", orElse(text(d.TemporalURL), d.WorkflowID))
	sheet.add("created", c.stamp(&d.CreatedAt))
	sheet.addEnd(c, d)
	if err := c.printPairs(sheet); err != nil {
		return err
	}
	if d.Failure != nil {
		for _, line := range d.Failure.Lines {
			if err := c.line("  | %s", clean(line)); err != nil {
				return err
			}
		}
	}
	c.warn(d.Warnings)
	return nil
}

// addFigures adds what the build of the image took, where that is known.
func (p *pairs) addFigures(f *client.BuildFigures) error {
	if f == nil {
		return nil
	}
	data, err := json.Marshal(f) // the API has the domain's own names
	if err != nil {
		return fmt.Errorf("encode build figures: %w", err)
	}
	var figures domain.BuildFigures
	if err := json.Unmarshal(data, &figures); err != nil {
		return fmt.Errorf("decode build figures: %w", err)
	}
	for i, line := range figures.Summary() {
		p.add([]string{"build", "phases", "size"}[i], line)
	}
	return nil
}

// addEnd adds how a deployment ended, as far as it has.
func (p *pairs) addEnd(c *cli, d client.Deployment) {
	if d.FinishedAt != nil {
		p.add("finished", fmt.Sprintf("%s, after %s", c.stamp(d.FinishedAt), took(d.FinishedAt.Sub(d.CreatedAt))))
	}
	if d.SupersededBy != nil {
		p.add("superseded by", *d.SupersededBy)
	}
	if d.ReusedFrom != nil {
		p.add("image of", *d.ReusedFrom)
	}
	if d.LogRemovedAt != nil {
		p.add("log removed", c.stamp(d.LogRemovedAt))
	}
	if f := d.Failure; f != nil {
		p.add("failed", fmt.Sprintf("%s: %s", orElse(text(f.Step), "deploy"), f.Message))
		p.add("class", fmt.Sprintf("%s (%s)", f.Class, f.Code))
		p.add("fix", text(f.Fix))
	}
}

func (c *cli) stepsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "steps [DEPLOYMENT]", Short: "List every attempt at each step", Args: cobra.MaximumNArgs(1),
		Long: `List the attempts at each step and its phases in the order in which they started: where they ran, how long, how they
ended. Of a deployment that was canceled the receipt follows: what was undone, each thing looked for and not found.`,
		Example: "  slipway steps shop#3\n  slipway steps shop --output json",
		RunE: c.onDeployment(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
			steps, err := ask[client.StepList](api.ListStepsWithResponse(ctx, d.ID))
			if err != nil {
				return err
			}
			return c.print(steps, func() error { return errors.Join(c.printSteps(steps.Items), c.printReceipt(steps.Receipt)) })
		}),
	}
}

func (c *cli) printSteps(steps []client.Step) error {
	t := newTable("STEP", "PHASE", "ATTEMPT", "STATUS", "TOOK", "STARTED", "HOST", "FAILURE")
	t.paint = 3
	for _, s := range steps {
		end := c.now()
		if s.FinishedAt != nil {
			end = *s.FinishedAt
		}
		failure := ""
		if s.Failure != nil {
			failure = s.Failure.Message
		}
		t.add(string(s.Name), text(s.Phase), strconv.Itoa(s.Attempt), string(s.Status), took(end.Sub(s.StartedAt)),
			s.StartedAt.In(c.location).Format(clock), text(s.Host), failure)
	}
	return c.printTable(t)
}

func (c *cli) printPlan(p client.Plan) error {
	var sheet pairs
	sheet.add("builder", strings.TrimSpace(p.Builder+" "+text(p.BuilderVersion)))
	sheet.add("providers", strings.Join(p.Providers, ", "))
	for _, language := range slices.Sorted(maps.Keys(p.Versions)) {
		sheet.add("version of "+language, p.Versions[language])
	}
	sheet.add("base image", text(p.Base))
	sheet.add("folder", p.RootDir)
	if p.Context != nil {
		sheet.add("build gets", p.Context.Dir+", as "+p.Context.Reason)
	}
	sheet.add("dockerfile", orElse(text(p.Dockerfile), "rendered from the plan"))
	sheet.add("install command", text(p.InstallCommand))
	if p.InstallReadsAll != nil {
		sheet.add("install copies", "everything: "+*p.InstallReadsAll)
	} else {
		sheet.add("install copies", strings.Join(p.InstallFiles, ", "))
	}
	sheet.add("build command", text(p.BuildCommand))
	sheet.add("start command", text(p.StartCommand))
	if p.ReleaseCommand != nil {
		sheet.add("release command", *p.ReleaseCommand+" (of the "+text(p.ReleaseFrom)+")")
	}
	sheet.add("port", strconv.Itoa(p.Port))
	for _, key := range slices.Sorted(maps.Keys(p.Variables)) {
		sheet.add("variable "+key, p.Variables[key])
	}
	sheet.add("secrets", strings.Join(p.Secrets, ", "))
	sheet.add("ignored", strings.Join(p.Ignore, ", "))
	sheet.add("digest", p.Digest)
	if err := c.printPairs(sheet); err != nil {
		return err
	}
	c.warn(p.Warnings)
	return nil
}

func (c *cli) dockerfileCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dockerfile [DEPLOYMENT]", Short: "Print the Dockerfile that is built", Args: cobra.MaximumNArgs(1),
		Long:    "Print the Dockerfile that a deployment is built from: rendered from its plan, or the repository's own.",
		Example: "  slipway dockerfile shop\n  slipway dockerfile shop#3 > Dockerfile",
		RunE: c.onDeployment(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
			answer, err := api.GetDockerfileWithResponse(ctx, d.ID)
			if err != nil {
				return notPlanned(*d, err)
			}
			body := answer.Body
			if c.json() {
				return c.print(map[string]string{"dockerfile": string(body)}, nil)
			}
			if c.screen.stdout {
				body = []byte(cleanKeeping(string(body), "\t\n"))
			}
			_, err = c.stdout.Write(body)
			return err
		}),
	}
}

// notPlanned adds to the API's refusal whether waiting helps.
func notPlanned(d client.Deployment, err error) error {
	var answered *apiError
	if errors.As(err, &answered) && answered.status == 404 && answered.fix == "" {
		answered.fix = fmt.Sprintf("%s is %s; the plan is there once the plan step is done: `slipway steps %s`", name(d), d.Status, name(d))
	}
	return err
}
