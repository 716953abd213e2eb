package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) projectsCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use: "projects", Aliases: []string{"project"}, Short: "Create, list and change projects",
		Long:    "A project is a repository plus the settings that say how it is built and run.",
		Example: "  slipway projects create shop https://git.example.com/team/shop.git\n  slipway projects list",
	}, c.projectsCreate(), c.projectsList(), c.projectsShow(), c.projectsUpdate(), c.projectsDelete())
}

func (c *cli) projectsCreate() *cobra.Command {
	var flags projectFlags
	command := &cobra.Command{
		Use: "create [NAME [REPO_URL]]", Short: "Create a project", Args: cobra.MaximumNArgs(2),
		Long: `Create a project from a git repository (https or ssh). Without flags the builder looks into the repository and decides.
NAME becomes part of host names: lower-case letters, digits and hyphens. In a git checkout the URL of its remote and a name made
from it are proposed on a terminal, and taken elsewhere.`,
		Example: `  slipway projects create                                       # in a checkout
  slipway projects create shop https://git.example.com/team/shop.git
  slipway projects create web https://git.example.com/team/mono.git --root-dir apps/web --start-command "node server.js"
  slipway projects create blog https://git.example.com/team/blog.git --release-command "bin/rails db:migrate" --release-timeout 30m
  slipway projects create api git@git.example.com:team/api.git --builder dockerfile --port 8080 --health-path /healthz`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := flags.given(cmd.Flags())
			if err != nil {
				return err
			}
			name, url, err := c.identity(cmd, args)
			if err != nil {
				return err
			}
			body := client.ProjectCreate{
				Name: name, RepoURL: url, RootDir: set.RootDir, Builder: set.Builder, InstallCommand: set.InstallCommand,
				BuildCommand: set.BuildCommand, StartCommand: set.StartCommand, ReleaseCommand: set.ReleaseCommand, Port: set.Port, HealthCheck: set.HealthCheck,
				ProductionBranch: set.ProductionBranch, BuildTimeoutSeconds: set.BuildTimeoutSeconds, ReleaseTimeoutSeconds: set.ReleaseTimeoutSeconds, Resources: set.Resources, PreviewResources: set.PreviewResources,
				Dockerfile: set.Dockerfile, Static: set.Static, Strict: set.Strict, Repairs: set.Repairs,
				BuildNetwork: set.BuildNetwork, BuildSSH: set.BuildSSH, NonRoot: set.NonRoot, Provenance: set.Provenance, Sbom: set.Sbom, Reproducible: set.Reproducible,
			}
			return c.projectAnswer(func(api *client.ClientWithResponses) (*client.Project, error) {
				return ask[client.Project](api.CreateProjectWithResponse(cmd.Context(), body))
			})
		},
	}
	flags.register(command.Flags())
	return command
}

func (c *cli) projectsUpdate() *cobra.Command {
	var flags projectFlags
	command := &cobra.Command{
		Use: "update [PROJECT]", Short: "Change a project's settings", Args: cobra.MaximumNArgs(1),
		Long: `Change the settings that are given and no others; "" or 0 goes back to the default. Changes take effect at the next
deployment. Environments that exist keep their host names when the project is renamed.`,
		Example: `  slipway projects update shop --start-command "node server.js" --health-path /healthz
  slipway projects update shop --build-command ""
  slipway projects update shop --name store`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := flags.given(cmd.Flags())
			if err != nil {
				return err
			}
			if set == (client.ProjectUpdate{}) {
				return usageError(cmd, "nothing to change: no setting is given")
			}
			return c.projectAnswer(func(api *client.ClientWithResponses) (*client.Project, error) {
				project, err := c.theProject(cmd.Context(), api, argument(args))
				if err != nil {
					return nil, err
				}
				return ask[client.Project](api.UpdateProjectWithResponse(cmd.Context(), project, set))
			})
		},
	}
	flags.register(command.Flags())
	flags.registerIdentity(command.Flags())
	return command
}

func (c *cli) projectsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List projects", Args: cobra.NoArgs,
		Long:    "List all projects with where they come from and how they are built.",
		Example: "  slipway projects list\n  slipway projects list --output json | jq -r '.items[].name'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			found, err := listProjects(cmd.Context(), api, 0)
			if err != nil {
				return err
			}
			return c.print(found, func() error {
				if len(found.Items) == 0 {
					c.say("no projects yet: `slipway projects create NAME REPO_URL` makes one")
					return nil
				}
				t := newTable("NAME", "REPOSITORY", "FOLDER", "BUILDER", "BRANCH", "AGE")
				for _, p := range found.Items {
					t.add(p.Name, p.RepoURL, p.RootDir, string(p.Builder), p.ProductionBranch, took(c.now().Sub(p.CreatedAt)))
				}
				return c.printTable(t)
			})
		},
	}
}

func (c *cli) projectsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [PROJECT]", Short: "Show a project's settings", Args: cobra.MaximumNArgs(1),
		Long:    "Show a project's settings with the defaults filled in.",
		Example: "  slipway projects show\n  slipway projects show shop\n  slipway projects show shop --output json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.projectAnswer(func(api *client.ClientWithResponses) (*client.Project, error) {
				project, err := c.theProject(cmd.Context(), api, argument(args))
				if err != nil {
					return nil, err
				}
				return ask[client.Project](api.GetProjectWithResponse(cmd.Context(), project))
			})
		},
	}
}

func (c *cli) projectsDelete() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use: "delete PROJECT", Aliases: []string{"rm"}, Short: "Delete a project with all its previews", Args: cobra.ExactArgs(1),
		Long: `Delete a project, its environments, variables, deployments, previews and images. There is no way back. What is under way is
canceled. ` + deleteLong,
		Example: "  slipway projects delete shop\n  slipway projects delete shop --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			p, err := ask[client.Project](api.GetProjectWithResponse(cmd.Context(), args[0]))
			if err != nil {
				return err
			}
			along := fmt.Sprintf("(%s) with its environments, variables, deployments and previews", clean(p.RepoURL))
			if err := c.confirmDelete(cmd.Context(), "project "+p.Name, along, p.Name, yes); err != nil {
				return err
			}
			return c.followDeletion(cmd.Context(), api, "project "+p.Name, func() (*client.Deletion, error) {
				return ask[client.Deletion](api.DeleteProjectWithResponse(cmd.Context(), p.ID))
			})
		},
	}
	yesFlag(command, &yes)
	return command
}

// projectAnswer calls the API and prints the project that it answers with.
func (c *cli) projectAnswer(call func(*client.ClientWithResponses) (*client.Project, error)) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	p, err := call(api)
	if err != nil {
		return err
	}
	return c.print(p, func() error { return c.printProject(*p) })
}

func (c *cli) printProject(p client.Project) error {
	var sheet pairs
	sheet.add("name", p.Name)
	sheet.add("id", p.ID)
	sheet.add("repository", p.RepoURL)
	sheet.add("folder", p.RootDir)
	sheet.add("production branch", orElse(p.ProductionBranch, "the repository's default branch"))
	sheet.add("builder", string(p.Builder))
	sheet.add("install command", orElse(p.InstallCommand, "the planner's"))
	sheet.add("build command", orElse(p.BuildCommand, "the planner's"))
	sheet.add("start command", orElse(p.StartCommand, "the planner's"))
	sheet.add("release command", orElse(p.ReleaseCommand, "the Procfile's, if it has one"))
	sheet.add("release timeout", (time.Duration(p.ReleaseTimeoutSeconds) * time.Second).String())
	addBuildSettings(&sheet, p)
	sheet.add("build timeout", (time.Duration(p.BuildTimeoutSeconds) * time.Second).String())
	sheet.add("port", orElse(number(p.Port), "the plan's"))
	sheet.add("health check", fmt.Sprintf("GET %s answers %s within %s", p.HealthCheck.Path,
		orElse(number(p.HealthCheck.Status), "below 500"), time.Duration(p.HealthCheck.TimeoutSeconds)*time.Second))
	sheet.add("resources", resourceWords(p.Resources))
	sheet.add("outside production", orElse(resourceWords(p.PreviewResources), "the same"))
	sheet.add("git credential", orElse(credentialWords(p.GitCredential), "none"))
	sheet.add("created", c.stamp(&p.CreatedAt))
	sheet.add("updated", c.stamp(&p.UpdatedAt))
	return c.printPairs(sheet)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// number is n in digits, "" for 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
