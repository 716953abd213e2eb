package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

// defaultCompleteWithin is how long a shell waits for the API after TAB: whoever waits longer has typed the name.
const defaultCompleteWithin = time.Second

// completedDeployments is how many of the newest deployments are proposed.
const completedDeployments = 20

// completer proposes words for what was typed so far.
type completer func(ctx context.Context, api *client.ClientWithResponses, typed string) ([]cobra.Completion, error)

// completing asks the API for proposals. An API that is slow or away proposes nothing: an error would be printed into the line
// that somebody types.
func (c *cli) completing(propose completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(impatient(cmd.Context()), c.completeWithin)
		defer cancel()
		api, err := c.api()
		var found []cobra.Completion
		if err == nil {
			found, err = propose(ctx, api, typed)
		}
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// first completes the first argument alone.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}

// projectNames proposes projects.
func projectNames(ctx context.Context, api *client.ClientWithResponses, typed string) ([]cobra.Completion, error) {
	found, err := listProjects(ctx, api, 0)
	if err != nil {
		return nil, err
	}
	var names []cobra.Completion
	for _, p := range found.Items {
		if strings.HasPrefix(p.Name, typed) {
			names = append(names, cobra.CompletionWithDesc(p.Name, p.RepoURL))
		}
	}
	return names, nil
}

// deploymentNames proposes what a DEPLOYMENT can be called: projects, numbers, and ids once one is begun.
func deploymentNames(ctx context.Context, api *client.ClientWithResponses, typed string) ([]cobra.Completion, error) {
	var params client.ListDeploymentsParams
	if project, _, numbered := strings.Cut(typed, "#"); numbered {
		params.Project = &project
	}
	found, err := listDeployments(ctx, api, params, completedDeployments)
	if err != nil {
		return nil, err
	}
	var names []cobra.Completion
	for _, d := range found.Items {
		what := fmt.Sprintf("%s %s %s", d.Status, d.Environment.Name, short(d.Commit))
		for _, called := range []string{name(d), d.ID} {
			if strings.HasPrefix(called, typed) && (called != d.ID || typed != "") {
				names = append(names, cobra.CompletionWithDesc(called, what))
			}
		}
	}
	if params.Project != nil {
		return names, nil
	}
	projects, err := projectNames(ctx, api, typed)
	return append(projects, names...), err
}

// completeEnvironments proposes the environments of the project that the command line names so far, by its flag or its
// first argument, or means without naming it.
func (c *cli) completeEnvironments(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	given := ""
	if flag := cmd.Flag("project"); flag != nil {
		given = flag.Value.String()
	} else if len(args) > 0 {
		given, _, _ = strings.Cut(args[0], "#") // a DEPLOYMENT names its project first
	}
	return c.completing(func(ctx context.Context, api *client.ClientWithResponses, typed string) ([]cobra.Completion, error) {
		project, err := c.theProject(ctx, api, given)
		if err != nil {
			return nil, err
		}
		found, err := listEnvironments(ctx, api, project)
		if err != nil {
			return nil, err
		}
		var names []cobra.Completion
		for _, e := range found.Items {
			if strings.HasPrefix(e.Name, typed) {
				names = append(names, cobra.CompletionWithDesc(e.Name, e.URL))
			}
		}
		return names, nil
	})(cmd, args, typed)
}

// addCompletion tells the shell what can stand where. The commands' Use lines say what their first argument is.
func (c *cli) addCompletion(command *cobra.Command) {
	_, arguments, _ := strings.Cut(command.Use, " ")
	switch argument, _, _ := strings.Cut(strings.Trim(arguments, "[]"), " "); argument {
	case "PROJECT":
		command.ValidArgsFunction = first(c.completing(projectNames))
	case "DEPLOYMENT", "DEPLOYMENT|PROJECT":
		command.ValidArgsFunction = first(c.completing(deploymentNames))
	case "TOKEN":
		command.ValidArgsFunction = first(c.completing(tokenNames))
	case "ENVIRONMENT":
		command.ValidArgsFunction = first(c.completeEnvironments)
	case "":
		command.ValidArgsFunction = cobra.NoFileCompletions
	}
	complete := func(flag *pflag.Flag) {
		if complete := c.flagCompletion(flag); complete != nil {
			_ = command.RegisterFlagCompletionFunc(flag.Name, complete) // it fails for a flag that is not there alone
		}
	}
	command.Flags().VisitAll(complete)
	command.PersistentFlags().VisitAll(complete)
	for _, child := range command.Commands() {
		c.addCompletion(child)
	}
}

// flagCompletion returns what completes a flag's value; nil for the shell's own way.
func (c *cli) flagCompletion(flag *pflag.Flag) cobra.CompletionFunc {
	if choice, ok := flag.Value.(*choice); ok {
		return cobra.FixedCompletions(choice.allowed, cobra.ShellCompDirectiveNoFileComp)
	}
	switch flag.Name {
	case "project":
		return c.completing(projectNames)
	case "environment":
		return c.completeEnvironments
	case "to":
		if what, _ := pflag.UnquoteUsage(flag); what == "deployment" {
			return c.completing(deploymentNames)
		}
		return c.completeEnvironments
	case "status":
		return cobra.FixedCompletions(strings.Split(joined(words.Statuses()), ", "), cobra.ShellCompDirectiveNoFileComp)
	}
	return nil
}
