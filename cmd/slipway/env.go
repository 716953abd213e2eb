package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

const envLong = `Variables of a project's builds and previews. Values go in and never come out. A change takes effect at the next deployment.
Without --project the project of the git checkout is meant; outside of one, the only project there is. With --environment
the variables set for that environment are meant: there they go before the project's of the same name, and listing shows
which come from where.`

// envFlags say whose variables are meant.
type envFlags struct{ project, environment string }

func (c *cli) envCommand() *cobra.Command {
	var whose envFlags
	command := c.group(&cobra.Command{
		Use: "env", Short: "Set, list and import environment variables", Long: envLong,
		Example: "  slipway env set --project shop DATABASE_URL=postgres://db/shop --target runtime\n" +
			"  slipway env set --project shop --environment branch/cart DATABASE_URL=postgres://db/cart\n  slipway env import --project shop .env",
	}, c.envSet(&whose), c.envUnset(&whose), c.envList(&whose), c.envImport(&whose))
	command.PersistentFlags().StringVarP(&whose.project, "project", "p", "", "the `project`, by name or id")
	command.PersistentFlags().StringVarP(&whose.environment, "environment", "e", "", "only for the environment called `name`: production, branch/<name> or pr/<number>")
	return command
}

// targetFlag adds --target.
func targetFlag(command *cobra.Command) *string {
	target := string(client.EnvTargetBoth)
	allowed := []string{string(client.EnvTargetBuild), string(client.EnvTargetRuntime), string(client.EnvTargetBoth)}
	command.Flags().Var(&choice{&target, allowed}, "target", "where the variables are seen")
	return &target
}

func (c *cli) envSet(whose *envFlags) *cobra.Command {
	command := &cobra.Command{
		Use: "set NAME=VALUE...", Short: "Set variables", Args: cobra.MinimumNArgs(1),
		Long: `Add or replace variables and keep the others. A NAME without =VALUE takes its value from standard input, so that it appears
neither in the shell's history nor in the list of processes; a line break at its end is dropped.`,
		Example: `  slipway env set --project shop LOG_LEVEL=debug FEATURE_CART=1
  slipway env set --project shop NPM_TOKEN --target build < npm-token.txt`,
	}
	target := targetFlag(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		vars, err := c.assignments(cmd.Context(), args)
		if err != nil {
			return err
		}
		return c.sendVars(cmd.Context(), *whose, vars, *target, false)
	}
	return command
}

// assignments reads NAME=VALUE arguments; at most one NAME stands alone.
func (c *cli) assignments(ctx context.Context, args []string) ([]variable, error) {
	var vars []variable
	alone := ""
	for _, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		switch {
		case !variableName.MatchString(name):
			return nil, &shownError{message: fmt.Sprintf("%q is not the name of a variable", name), fix: "write NAME=VALUE; names have letters, digits and underscores", exit: exitUsage}
		case !given && alone != "":
			return nil, &shownError{message: fmt.Sprintf("neither %s nor %s has a value, and standard input can give only one", alone, name), exit: exitUsage}
		case !given:
			alone = name
			var err error
			if value, err = c.readValue(ctx, name); err != nil {
				return nil, err
			}
		}
		vars = append(vars, variable{name: name, value: value})
	}
	return vars, nil
}

func (c *cli) readValue(ctx context.Context, name string) (string, error) {
	if c.screen.stdin {
		return c.askSecret(ctx, name)
	}
	value, err := c.readAll(ctx)
	if err != nil {
		return "", fmt.Errorf("read the value of %s: %w", name, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r"), nil
}

func (c *cli) envUnset(whose *envFlags) *cobra.Command {
	return &cobra.Command{
		Use: "unset NAME...", Short: "Remove variables", Args: cobra.MinimumNArgs(1),
		Long:    "Remove variables and keep the others. Stops at the first that is not there.",
		Example: "  slipway env unset --project shop FEATURE_CART LOG_LEVEL",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.envCall(cmd.Context(), *whose, func(api *client.ClientWithResponses, project string, environment *string) (env *client.Env, err error) {
				params := &client.DeleteEnvParams{Environment: environment}
				for _, name := range args {
					if env, err = ask[client.Env](api.DeleteEnvWithResponse(cmd.Context(), project, name, params)); err != nil {
						return nil, err
					}
				}
				return env, nil
			})
		},
	}
}

func (c *cli) envList(whose *envFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List variables without their values", Args: cobra.NoArgs,
		Long:    "List the names of the variables and where they are seen. Values never come out.",
		Example: "  slipway env list --project shop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.envCall(cmd.Context(), *whose, func(api *client.ClientWithResponses, project string, environment *string) (*client.Env, error) {
				return ask[client.Env](api.ListEnvWithResponse(cmd.Context(), project, &client.ListEnvParams{Environment: environment}))
			})
		},
	}
}

func (c *cli) envImport(whose *envFlags) *cobra.Command {
	var replace bool
	command := &cobra.Command{
		Use: "import FILE|-", Short: "Set variables from a .env file", Args: cobra.ExactArgs(1),
		Long: `Set the variables of a .env file, - for standard input. Nothing is set when any line is wrong; the error names it.

  # a comment             NAME=value # a comment after a blank
  export NAME=value       NAME='taken as it is, even $HOME and \n'
  NAME="line one\nline two, or over several lines; \" \\ \$ \t \r \n are understood"

Nothing is expanded: $OTHER stays as it is.`,
		Example: `  slipway env import --project shop .env
  slipway env import --project shop --target runtime --replace .env.production
  pass show shop/env | slipway env import --project shop -`,
	}
	target := targetFlag(command)
	command.Flags().BoolVar(&replace, "replace", false, "remove every variable that the file does not have")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		vars, err := c.readEnvFile(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return c.sendVars(cmd.Context(), *whose, vars, *target, replace)
	}
	return command
}

func (c *cli) readEnvFile(ctx context.Context, path string) ([]variable, error) {
	content, err := c.readFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("import variables: %w", err)
	}
	if len(content) > maxStdin {
		return nil, &shownError{message: fmt.Sprintf("import variables: %s has more than 1 MiB", path)}
	}
	vars, err := parseEnv(content)
	if err != nil {
		return nil, prefixed("import variables: "+path+": ", err)
	}
	if len(vars) == 0 {
		return nil, &shownError{message: fmt.Sprintf("import variables: %s holds none", path), fix: "write lines like NAME=value"}
	}
	return vars, nil
}

// readFile reads a file, - for standard input; of a large one only so much that its size is seen.
func (c *cli) readFile(ctx context.Context, path string) (string, error) {
	if path == "-" {
		return c.readAll(ctx)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxStdin+1))
	return string(data), err
}

// sendVars adds variables to a project's or an environment's, or puts them in the place of all.
func (c *cli) sendVars(ctx context.Context, whose envFlags, vars []variable, target string, replace bool) error {
	body := client.EnvInput{Vars: make([]client.EnvVarInput, 0, len(vars))}
	for _, v := range vars {
		body.Vars = append(body.Vars, client.EnvVarInput{Name: v.name, Value: v.value, Target: new(client.EnvTarget(target))})
	}
	return c.envCall(ctx, whose, func(api *client.ClientWithResponses, project string, environment *string) (*client.Env, error) {
		if replace {
			return ask[client.Env](api.ReplaceEnvWithResponse(ctx, project, &client.ReplaceEnvParams{Environment: environment}, body))
		}
		return ask[client.Env](api.MergeEnvWithResponse(ctx, project, &client.MergeEnvParams{Environment: environment}, body))
	})
}

// envCall calls the API for a project, or an environment of it, and prints the variables as they are afterwards.
func (c *cli) envCall(ctx context.Context, whose envFlags, call func(api *client.ClientWithResponses, project string, environment *string) (*client.Env, error)) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	given := whose.project
	if whose.project, err = c.theProject(ctx, api, given); err != nil {
		return err
	}
	if given == "" {
		c.say("note: the variables of project %s", whose.project)
	}
	env, err := call(api, whose.project, filled(whose.environment))
	if err != nil {
		return err
	}
	return c.print(env, func() error { return c.printEnv(whose, *env) })
}

func (c *cli) printEnv(whose envFlags, env client.Env) error {
	t := newTable("NAME", "TARGET")
	if whose.environment != "" {
		t.header = append(t.header, "FROM")
	}
	for _, v := range env.Vars {
		row := []string{v.Name, string(v.Target), string(v.Source)}
		t.add(row[:len(t.header)]...)
	}
	if len(env.Vars) == 0 {
		c.say("%s has no variables", strings.TrimSpace(whose.project+" "+whose.environment))
	} else if err := c.printTable(t); err != nil {
		return err
	}
	if env.Note != "" {
		c.say("note: %s", clean(env.Note))
	}
	return nil
}
