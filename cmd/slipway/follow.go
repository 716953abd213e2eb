package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

// watch is whether, and how, somebody wants to see a deployment to its end.
type watch struct{ follow, logs bool }

// flags gives a command that makes a deployment its --follow and --logs.
func (w *watch) flags(command *cobra.Command) {
	command.Flags().BoolVarP(&w.follow, "follow", "f", false, "show the steps until the preview is live")
	command.Flags().BoolVar(&w.logs, "logs", false, "with --follow: show the log lines too")
	command.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if w.logs && !w.follow {
			return usageError(cmd, "--logs goes with --follow")
		}
		return nil
	}
}

// follow shows a deployment until it has ended. It returns nil only when the preview is live; else an error whose exit code says
// how the deployment ended.
func (c *cli) follow(ctx context.Context, api *client.ClientWithResponses, d client.Deployment, logs bool) error {
	shown := c.newView(logs)
	shown.begin(d)
	s := &stream{api: api, id: d.ID, sink: shown, pace: c.pace}
	status, err := s.run(ctx)
	shown.finish(status)
	if err != nil {
		return left(ctx, d, err)
	}
	final, err := s.final(ctx)
	if err != nil {
		return left(ctx, d, err)
	}
	return c.conclude(*final)
}

// left is the end of following, not of the deployment.
func left(ctx context.Context, d client.Deployment, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	if over(d.Status) { // only its app was followed
		return &shownError{message: fmt.Sprintf("interrupted: %s goes on", name(d)), calm: true, exit: exitInterrupted}
	}
	return &shownError{
		message: fmt.Sprintf("interrupted: the deployment %s goes on", name(d)), calm: true, exit: exitInterrupted,
		hints: []string{"follow it: slipway logs -f " + name(d), "cancel it: slipway cancel " + name(d)},
	}
}

// conclude says how a deployment ended.
func (c *cli) conclude(d client.Deployment) error {
	if c.json() {
		if err := c.printLine(d); err != nil {
			return err
		}
	}
	switch d.Status {
	case client.DeploymentStatusReady:
		return c.live(d)
	case client.DeploymentStatusFailed:
		return failedError(d)
	case client.DeploymentStatusCanceled:
		return &shownError{message: name(d) + " was canceled", calm: true, exit: exitNotDeployed}
	case client.DeploymentStatusSuperseded:
		f := &shownError{message: name(d) + " was superseded by a newer deployment", calm: true, exit: exitNotDeployed}
		if d.SupersededBy != nil {
			f.hints = []string{"see: slipway show " + *d.SupersededBy}
		}
		return f
	default:
		return &shownError{message: fmt.Sprintf("%s had ended and is %s again: somebody retried it", name(d), d.Status), fix: "follow it with `slipway logs -f " + name(d) + "`"}
	}
}

// live prints the warnings and, last, the URL alone, so that scripts can take the last line.
func (c *cli) live(d client.Deployment) error {
	if c.json() {
		return nil
	}
	c.warn(d.Warnings)
	ready := "ready"
	if d.ReadyAt != nil {
		ready += " after " + took(d.ReadyAt.Sub(d.CreatedAt))
	}
	if err := c.line("%s, also at %s", paint(c.coloured(), green, ready), clean(d.EnvironmentURL)); err != nil {
		return err
	}
	return c.line("%s", clean(d.PreviewURL))
}

// warn prints warnings, those that likely break something first.
func (c *cli) warn(warnings []client.Warning) {
	const info = "info"
	sorted := slices.Clone(warnings)
	slices.SortStableFunc(sorted, func(a, b client.Warning) int {
		return cmp.Compare(strings.Count(a.Severity, info), strings.Count(b.Severity, info))
	})
	for _, w := range sorted {
		where := text(w.File)
		if where != "" && w.Line != nil {
			where += fmt.Sprintf(":%d", *w.Line)
		}
		if where != "" {
			where += ": "
		}
		c.say("%s %s: %s%s", clean(w.Severity), clean(w.Code), clean(where), clean(w.Message))
		if w.Fix != nil {
			c.say("fix: %s", clean(*w.Fix))
		}
	}
}

// failedError is a failed deployment: what failed where, the lines that explain it, and what to do.
func failedError(d client.Deployment) error {
	f := &shownError{message: name(d) + " failed", exit: exitFailedOther, hints: []string{"the whole log: slipway logs " + name(d)}}
	if d.Failure == nil {
		return f
	}
	if d.Failure.Step != nil {
		f.message += " at " + *d.Failure.Step
	}
	f.message += ": " + d.Failure.Message
	f.lines, f.fix = d.Failure.Lines, text(d.Failure.Fix)
	class := fmt.Sprintf("class: %s (%s)", d.Failure.Class, d.Failure.Code)
	if d.Failure.ExitCode != nil {
		class += fmt.Sprintf(", exit code %d", *d.Failure.ExitCode)
	}
	f.hints = append([]string{class}, f.hints...)
	if d.Failure.Class == client.FailureClassUser {
		f.exit = exitFailedUser
	}
	return f
}
