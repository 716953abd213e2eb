package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The groups that `slipway --help` sorts commands into.
const (
	groupDeploy   = "deploy"
	groupSettings = "settings"
	groupServer   = "server"
	groupRoles    = "roles"
)

const rootLong = `slipway deploys git repositories and gives each deploy a preview URL.

The commands talk to slipway's REST API. Where it is and who you are comes from ` + "`slipway login`" + `, or from
SLIPWAY_API_URL and SLIPWAY_TOKEN, which win. A DEPLOYMENT is an id, or PROJECT#NUMBER, or PROJECT for its newest one.
In a git checkout the PROJECT that deploys its repository can be left out: where several do, the one whose folder you are in is
meant. A name that is given always wins.

While the API is busy, or Postgres or Temporal is away from it, a command says so and tries again when the API says, for
--wait-busy at most. A deploy that is asked for again is made once. Ctrl-C ends the wait.`

const rootExample = `  slipway login
  slipway projects create shop https://git.example.com/team/shop.git
  slipway env set --project shop DATABASE_URL=postgres://db/shop --target runtime
  slipway deploy shop --branch main --follow
  slipway logs shop#3`

// newRoot puts the command tree together.
func (c *cli) newRoot() *cobra.Command {
	root := c.group(&cobra.Command{
		Use: "slipway", Short: "Deploy a git repository and get a preview URL", Long: rootLong, Example: rootExample,
		Version: buildVersion().String(), SilenceErrors: true, SilenceUsage: true,
	})
	root.SetVersionTemplate("slipway {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupDeploy, Title: "Deploy:"},
		&cobra.Group{ID: groupSettings, Title: "Settings:"},
		&cobra.Group{ID: groupServer, Title: "Server:"},
		&cobra.Group{ID: groupRoles, Title: "Server roles:"},
	)
	root.SetCompletionCommandGroupID(groupSettings)
	root.PersistentFlags().VarP(&choice{&c.output, []string{outputTable, outputJSON}}, "output", "o",
		"how to print answers; json is the API's own objects, for streams one a line")
	c.waitBusyFlag(root)
	addGrouped(root, groupDeploy, c.deployCommand(), c.logsCommand(), c.psCommand(), c.showCommand(), c.stepsCommand(),
		c.planCommand(), c.buildCommand(), c.dockerfileCommand(), c.cancelCommand(), c.retryCommand(), c.rollbackCommand(),
		c.promoteCommand(), c.previewsCommand(), c.openCommand(), c.temporalCommand())
	addGrouped(root, groupSettings, c.loginCommand(), c.logoutCommand(), c.projectsCommand(), c.environmentsCommand(), c.domainsCommand(), c.envCommand(),
		c.credentialsCommand(), c.deletionsCommand())
	addGrouped(root, groupServer, c.adminCommand(), c.doctorCommand())
	addGrouped(root, groupRoles, c.migrateCommand(), c.apiCommand(), c.workerCommand(), c.gatewayCommand())
	root.AddCommand(c.versionCommand(), exitCodesTopic())
	c.addCompletion(root)
	return root
}

func addGrouped(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, command := range commands {
		command.GroupID = group
	}
	root.AddCommand(commands...)
}

// group makes a command that only has subcommands: alone it shows its help, and a subcommand that is not there is an error
// (cobra itself would show the help and succeed).
func (c *cli) group(command *cobra.Command, children ...*cobra.Command) *cobra.Command {
	command.Args = cobra.ArbitraryArgs
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		message := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			message += fmt.Sprintf(", did you mean %q?", near[0])
		}
		return usageError(cmd, message)
	}
	command.AddCommand(children...)
	return command
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   *string
	allowed []string
}

// String returns the word that is set.
func (f *choice) String() string { return *f.value }

// Type shows the words in help texts.
func (f *choice) Type() string { return strings.Join(f.allowed, "|") }

// Set takes one of the allowed words.
func (f *choice) Set(word string) error {
	if !slices.Contains(f.allowed, word) {
		last := len(f.allowed) - 1
		return fmt.Errorf("use %s or %s", strings.Join(f.allowed[:last], ", "), f.allowed[last])
	}
	*f.value = word
	return nil
}
