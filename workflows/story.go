package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// maxToldOutput bounds what the details tell of a failure's output. The Web UI passes details on in a URL to have them
// rendered; the step's own failure in the history holds the rest.
const maxToldOutput = 2000

// story is what people who look at Temporal alone are told of a deploy.
type story struct {
	status   deployment.Status
	commit   string
	host     string // that works on the step
	waitsFor string
	preview  string
	failure  *deployment.Failure
	receipt  deployment.Receipt // of a cancel
}

// enter notes the step that begins.
func (d *deploy) enter(ctx workflow.Context, step deployment.StepName) {
	d.step = step
	d.tell(ctx, step, step.Status())
}

// tell shows where the deploy stands, in its details and to searches. What it waited for is over.
func (d *deploy) tell(ctx workflow.Context, step deployment.StepName, status deployment.Status) {
	d.story.status = status
	d.waitFor(ctx, "")
	if err := workflow.UpsertTypedSearchAttributes(ctx,
		temporal.AttrStep.ValueSet(string(step)), temporal.AttrStatus.ValueSet(string(status))); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes", "error", err)
	}
}

// waitFor shows what the deploy waits for, in words. It writes nothing to the history.
func (d *deploy) waitFor(ctx workflow.Context, what string) {
	d.story.waitsFor = what
	workflow.SetCurrentDetails(ctx, d.details())
}

// details are the current details, in Markdown.
func (d *deploy) details() string {
	title := d.in.Project
	if d.in.Number > 0 { // a run that an older slipway has started was not told
		title += fmt.Sprintf(" #%d", d.in.Number)
	}
	text := fmt.Sprintf("### %s to %s: %s\n\n", title, d.in.Environment, d.story.status) +
		item("Step", fmt.Sprintf("**%d of %d, %s**", d.step.Number(), len(deployment.Steps()), d.step)) +
		item("Host", code(d.story.host)) +
		item("Waits for", d.story.waitsFor) +
		item("Repository", code(d.in.Repository)) +
		item("Ref", code(d.in.Ref)) +
		item("Commit", code(d.story.commit)) +
		item("Environment", code(d.in.Environment)) +
		item("Deployment", code(d.in.DeploymentID)) +
		item("Preview", link(d.story.preview)) +
		item("Undone", code(d.story.receipt.String()))
	if f := d.story.failure; f != nil {
		text += item("Failed", fmt.Sprintf("in step %s, class **%s**, code %s", f.Step, f.Class, code(f.Code))) +
			item("Fix", code(f.Fix)) +
			fmt.Sprintf("\n```\n%s\n```\n", output(f))
	}
	return text
}

// item is one line of a list, nothing for an empty value.
func item(name, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf("- %s: %s\n", name, value)
}

// code keeps a text of somebody else's from being read as Markdown.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "\n", " ").Replace(text) + "`"
}

func link(url string) string {
	if url == "" {
		return ""
	}
	return "<" + url + ">"
}

// output is the message of a failure and the end of the lines that explain it.
func output(f *deployment.Failure) string {
	message := strings.ReplaceAll(f.Message, "```", "'''")
	if len(message) > maxToldOutput/2 {
		message = strings.ToValidUTF8(message[:maxToldOutput/2], "") + " …"
	}
	lines := strings.ReplaceAll(strings.Join(f.Lines, "\n"), "```", "'''")
	if over := len(lines) - maxToldOutput/2; over > 0 {
		lines = "… " + strings.ToValidUTF8(lines[over:], "")
	}
	return strings.TrimSpace(message + "\n" + lines)
}
