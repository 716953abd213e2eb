package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

const deployLong = `Deploy a project. Without PROJECT it is the one that deploys the repository of this git checkout (any of its remotes, by
https or ssh), and without --branch, --tag and --commit its current branch, as the remote has it: commits that are not pushed and
files that are not committed are not deployed, and a warning says so. With PROJECT, or outside of a checkout, it is the production
branch. A branch goes to its own environment, the production branch to production, unless --environment says otherwise; a tag or a
commit needs --environment.

Without --follow the command ends as soon as the deploy is accepted, with exit code 0. What is accepted is never lost.
With --follow it shows the steps until the preview is live: on a terminal with a live progress line, in a pipe with one line
a step, the URL alone on the last line. A broken connection is taken up again. Ctrl-C leaves the deploy running.

Exit codes:

` + exitCodesText

// deploy is what `slipway deploy` was given.
type deploy struct {
	branch, tag, commit, environment, key string
	force                                 bool
	shown                                 watch
}

func (c *cli) deployCommand() *cobra.Command {
	var given deploy
	command := &cobra.Command{
		Use: "deploy [PROJECT]", Short: "Deploy a project", Args: cobra.MaximumNArgs(1), Long: deployLong,
		Example: `  slipway deploy --follow                                    # this checkout's branch
  slipway deploy shop --follow                               # production
  slipway deploy shop --branch feature/cart --follow --logs
  slipway deploy shop --tag v1.4.0 --environment production
  slipway deploy shop --commit "$CI_COMMIT" --environment pr/42 --idempotency-key "$CI_JOB_ID" --follow
  url=$(slipway deploy shop --follow | tail -n 1)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if moreThanOne(given.branch, given.tag, given.commit) {
				return usageError(cmd, "at most one of --branch, --tag and --commit says what to deploy")
			}
			if given.tag+given.commit != "" && given.environment == "" {
				return usageError(cmd, "a tag or a commit needs --environment: it belongs to no branch")
			}
			return c.deploy(cmd.Context(), argument(args), given)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&given.branch, "branch", "b", "", "deploy the head of `branch`")
	flags.StringVar(&given.tag, "tag", "", "deploy `tag`")
	flags.StringVar(&given.commit, "commit", "", "deploy `commit`: all 40 digits, or the first 7 or more of a branch's or tag's")
	flags.StringVarP(&given.environment, "environment", "e", "", "deploy to `name`: production, branch/<name> or pr/<number>")
	flags.BoolVar(&given.force, "force", false, "build every step again, without the builder's cache, also when the same was built before")
	keyFlag(command, &given.key)
	given.shown.flags(command)
	return command
}

func (c *cli) deploy(ctx context.Context, project string, given deploy) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	if project, given, err = c.deployHere(ctx, api, project, given); err != nil {
		return err
	}
	body := client.DeploymentCreate{
		Branch: filled(given.branch), Tag: filled(given.tag), Commit: filled(given.commit), Environment: filled(given.environment),
	}
	if given.force {
		body.Force = &given.force
	}
	resp, err := api.CreateDeploymentWithResponse(ctx, project, &client.CreateDeploymentParams{IdempotencyKey: keyOf(given.key)}, body)
	d, err := ask[client.Deployment](resp, err)
	if err != nil {
		return unanswered(ctx, project, err)
	}
	return c.accepted(ctx, api, *d, keySeen(given.key, resp.HTTPResponse), given.shown)
}

// accepted says what a request for a deployment has made (made before, when seen) and, if that is wanted, follows it.
func (c *cli) accepted(ctx context.Context, api *client.ClientWithResponses, d client.Deployment, seen bool, shown watch) error {
	if seen {
		c.say("note: this key was sent before; %s is what it made then", name(d))
	}
	if shown.follow {
		return c.follow(ctx, api, d, shown.logs)
	}
	return c.print(&d, func() error {
		if err := c.line("%s accepted for %s: %s", name(d), d.Environment.Name, d.Status); err != nil {
			return err
		}
		c.say("follow it: slipway logs -f %s", name(d))
		return c.line("%s", clean(d.PreviewURL))
	})
}

// unanswered tells an interruption from the API's refusal.
func unanswered(ctx context.Context, project string, err error) error {
	if explained, ok := errors.AsType[*shownError](err); ctx.Err() == nil || ok && explained.exit == exitInterrupted {
		return err
	}
	return &shownError{
		message: "interrupted before the API answered: the deploy may have been accepted", calm: true, exit: exitInterrupted,
		hints: []string{"look: slipway ps " + project},
	}
}

// deployHere fills in what was not given: the project, and in a checkout of its repository the branch.
func (c *cli) deployHere(ctx context.Context, api *client.ClientWithResponses, project string, given deploy) (string, deploy, error) {
	if project != "" {
		return project, given, nil
	}
	h, err := c.here(ctx, api)
	if err != nil {
		return "", given, err
	}
	if h == nil {
		project, err = onlyProject(ctx, api)
		return project, given, err
	}
	p, err := h.project()
	if err != nil {
		return "", given, err
	}
	note := "note: project " + p.Name
	if given.branch+given.tag+given.commit == "" {
		if given.branch, err = c.branch(ctx, h); err != nil {
			return "", given, err
		}
		note += ", branch " + given.branch
	}
	c.say("%s, from this checkout (%s)", note, h.remote.Name)
	return p.Name, given, nil
}

func keyFlag(command *cobra.Command, key *string) {
	command.Flags().StringVar(key, "idempotency-key", "", "make at most one deployment for `key`, however often it is sent")
}

// keyOf returns the key that was given, or one of this call's own: a request that is sent again while the API is busy or away
// makes one deployment.
func keyOf(given string) *string {
	if given == "" {
		given = uuid.NewString()
	}
	return &given
}

// keySeen reports whether a key that was given had made a deployment before.
func keySeen(given string, resp *http.Response) bool {
	return given != "" && resp.Header.Get("Idempotency-Replayed") == "true"
}

// argument returns the one optional argument, "" when it is not there.
func argument(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// filled returns nil for a flag that was not given.
func filled[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

func moreThanOne(words ...string) bool {
	n := 0
	for _, word := range words {
		if word != "" {
			n++
		}
	}
	return n > 1
}
