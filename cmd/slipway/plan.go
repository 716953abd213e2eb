package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipway-dev/slipway/api/client"
	domain "github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func (c *cli) planCommand() *cobra.Command {
	var f planFlags
	command := &cobra.Command{
		Use: "plan [DEPLOYMENT|FOLDER]", Short: "Show what is built and how", Args: cobra.MaximumNArgs(1),
		Long: `Show the plan that a deployment builds from. Secrets appear by name only. With --output json the planner's own plan is there too.

With a FOLDER, plan it on this machine, without a server and without a build: the plan, its warnings and the Dockerfile. A
folder is what has a slash in it, "." or "..": "shop" is a project, "./shop" a folder. Of a git checkout, what git tracks and
what is new counts, committed or not; what .gitignore leaves out does not, since a deploy clones. The flags stand for a project's
settings and go with a FOLDER only.`,
		Example: `  slipway plan shop
  slipway plan shop#3 --output json | jq .native
  slipway plan .
  slipway plan ./dir --root-dir apps/web --secret NPM_TOKEN
  slipway plan . --static-folder dist --spa --strict all
  slipway plan . --builder railpack --railpack ~/bin/railpack
  slipway plan . --output json | jq -r .dockerfile > Dockerfile`,
	}
	f.register(command.Flags())
	ofDeployment := c.onDeployment(func(ctx context.Context, api *client.ClientWithResponses, d *client.Deployment) error {
		plan, err := ask[client.Plan](api.GetPlanWithResponse(ctx, d.ID))
		if err != nil {
			return notPlanned(*d, err)
		}
		return c.print(plan, func() error { return c.printPlan(*plan) })
	})
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if given := argument(args); isFolder(given) {
			return c.planFolder(cmd.Context(), filepath.Join(c.base(given), given), &f)
		}
		var alone error
		cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
			if !flag.Changed || alone != nil {
				return
			}
			alone = usageError(cmd, fmt.Sprintf("--%s goes with a folder only, e.g. `slipway plan . --%s ...`", flag.Name, flag.Name))
		})
		if alone != nil {
			return alone
		}
		return ofDeployment(cmd, args)
	}
	return command
}

// isFolder tells a folder from a DEPLOYMENT, in which no slash can be.
func isFolder(given string) bool {
	return given == "." || given == ".." || given == "~" || strings.Contains(given, "/")
}

// base is the folder that a path given on the command line starts from.
func (c *cli) base(given string) string {
	if filepath.IsAbs(given) {
		return ""
	}
	return c.dir
}

// planFlags are the project's settings that a plan depends on, and what the worker's configuration says.
type planFlags struct {
	appFlags
	buildFlags
	secrets             []string
	overrides, nixpacks string
	railpack            string
}

func (f *planFlags) register(flags *pflag.FlagSet) {
	f.appFlags.register(flags)
	f.registerPlan(flags)
	flags.StringArrayVar(&f.secrets, "secret", nil, "plan for a build variable of this `name`; its value is not needed")
	flags.StringVar(&f.overrides, "overrides", "", "read base images and plan changes from `file` (default $SLIPWAY_PLAN_OVERRIDES)")
	flags.StringVar(&f.nixpacks, "nixpacks", "", "run the nixpacks CLI at `path` (default $SLIPWAY_NIXPACKS, or nixpacks)")
	flags.StringVar(&f.railpack, "railpack", "", "for --builder railpack, run the railpack CLI at `path` (default $SLIPWAY_RAILPACK, or railpack)")
}

// project returns the project that has the settings given.
func (f *planFlags) project() (domain.Project, error) {
	headers, err := f.staticHeaders()
	if err != nil {
		return domain.Project{}, err
	}
	p := domain.Project{
		Name: "folder", RootDir: f.rootDir, Builder: domain.Builder(f.builder), Port: f.port,
		InstallCommand: f.install, BuildCommand: f.appFlags.build, StartCommand: f.start, ReleaseCommand: f.release,
		Build: domain.BuildSettings{
			Dockerfile: domain.DockerfileSettings{Path: f.dockerfile, Target: f.target},
			Static:     domain.StaticSettings{Folder: f.staticFolder, SPA: f.spa},
			Strict:     f.strict, Repairs: domain.Repairs(f.repairs), NonRoot: f.nonRoot,
			Network: domain.BuildNetwork(f.network),
		},
	}
	for name, value := range f.args() {
		if value == nil {
			return domain.Project{}, &shownError{message: fmt.Sprintf("--build-arg %s has no value", name), fix: "give it as NAME=VALUE", exit: exitUsage}
		}
		if p.Build.Dockerfile.BuildArgs == nil {
			p.Build.Dockerfile.BuildArgs = map[string]string{}
		}
		p.Build.Dockerfile.BuildArgs[name] = *value
	}
	for _, h := range headers {
		p.Build.Static.Headers = append(p.Build.Static.Headers, domain.StaticHeader{Path: h.Path, Name: h.Name, Value: h.Value})
	}
	p = p.WithDefaults()
	for _, fault := range p.Validate() {
		return domain.Project{}, &shownError{message: fault.Error(), fix: fault.Fix, exit: exitUsage}
	}
	return p, nil
}

// localPlan is what `slipway plan FOLDER --output json` prints.
type localPlan struct {
	Plan       client.Plan `json:"plan"`
	Dockerfile string      `json:"dockerfile"`
}

func (c *cli) planFolder(ctx context.Context, folder string, f *planFlags) error {
	planned, err := c.plan(ctx, folder, f)
	if err != nil {
		return err
	}
	defer planned.remove()
	shown := localPlan{planned.shown, planned.dockerfile}
	if err := c.print(shown, func() error { return c.printFolderPlan(planned.shown, planned.dockerfile) }); err != nil {
		return err
	}
	return planned.refused()
}

// plannedFolder is a folder with its plan.
type plannedFolder struct {
	project    domain.Project
	plan       *domain.Plan
	shown      client.Plan
	dockerfile string
	source     string // what was planned
	remove     func() // takes source away, where it is a copy
}

// plan plans a folder with the settings given.
func (c *cli) plan(ctx context.Context, folder string, f *planFlags) (*plannedFolder, error) {
	project, err := f.project()
	if err != nil {
		return nil, err
	}
	options := planner.Options{
		NixpacksPath: orElse(f.nixpacks, c.env("SLIPWAY_NIXPACKS")),
		Railpack:     planner.RailpackOn(orElse(orElse(f.railpack, c.env("SLIPWAY_RAILPACK")), "railpack"), c.env("SLIPWAY_RAILPACK_FRONTEND"), os.Environ()),
	}
	if path := orElse(f.overrides, c.env("SLIPWAY_PLAN_OVERRIDES")); path != "" {
		if options.Overrides, err = planner.LoadOverrides(path); err != nil {
			return nil, err
		}
	}
	p := &plannedFolder{project: project}
	if p.source, p.remove, err = asCloned(ctx, folder); err != nil {
		return nil, err
	}
	if p.plan, p.dockerfile, err = planner.New(options).Plan(ctx, p.source, project, f.secrets); err != nil {
		p.remove()
		return nil, planFailed(ctx, err)
	}
	if p.shown, err = shownPlan(p.plan); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// refused returns an error for a plan with a warning that --strict names.
func (p *plannedFolder) refused() error {
	refused := p.project.Build.Refused(p.plan.Warnings)
	if len(refused) == 0 {
		return nil
	}
	return &shownError{
		message: "--strict lets no plan pass that has the warning " + refused[0].Code, fix: refused[0].Fix, exit: exitFailedUser,
	}
}

// shownPlan returns a plan as the API would show it; the two have the same names.
func shownPlan(plan *domain.Plan) (shown client.Plan, err error) {
	digest, err := plan.Digest()
	if err != nil {
		return shown, err
	}
	data, err := json.Marshal(plan)
	if err != nil {
		return shown, fmt.Errorf("encode plan: %w", err)
	}
	if err := json.Unmarshal(data, &shown); err != nil {
		return shown, fmt.Errorf("decode plan: %w", err)
	}
	shown.Digest = digest
	return shown, nil
}

func (c *cli) printFolderPlan(plan client.Plan, dockerfile string) error {
	if err := c.printPlan(plan); err != nil {
		return err
	}
	if c.screen.stdout {
		dockerfile = cleanKeeping(dockerfile, "\t\n")
	}
	_, err := fmt.Fprintf(c.stdout, "\n%s", dockerfile)
	return err
}

// planFailed shows a failure as one of a deploy is shown.
func planFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failed := domain.AsFailure(err)
	shown := &shownError{message: failed.Code + ": " + failed.Message, lines: failed.Lines, fix: failed.Fix, exit: exitFailedOther}
	if failed.Class == domain.ClassUser {
		shown.exit = exitFailedUser
	}
	switch failed.Code {
	case "plan.railpack_missing":
		shown.fix = "install it, or give its path with --railpack"
	case "plan.nixpacks_missing":
		shown.fix = fmt.Sprintf("install it with `cargo install nixpacks --version %s --locked`, or give its path with --nixpacks", planner.TestedNixpacks)
	}
	return shown
}

// folderError says that a FOLDER is none.
func folderError(folder string, err error) error {
	return &shownError{message: fmt.Sprintf("folder %s: %v", folder, err), fix: "give a folder, e.g. `slipway plan .`", exit: exitUsage}
}

func requireFolder(folder string) error {
	info, err := os.Stat(folder)
	switch {
	case err != nil:
		return folderError(folder, err)
	case !info.IsDir():
		return folderError(folder, fmt.Errorf("is a file"))
	}
	return nil
}
