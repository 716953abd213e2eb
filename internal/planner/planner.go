package planner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// DefaultTimeout bounds one run of the nixpacks CLI, which takes milliseconds on a repository of ordinary size.
const DefaultTimeout = 60 * time.Second

// Options say with what a Planner plans.
type Options struct {
	NixpacksPath string           // the CLI: a path, or a name that is looked up on PATH; "" means "nixpacks"
	Railpack     Railpack         // for projects that ask for it
	Overrides    Overrides        // the operator's base images and plan changes; the zero value changes nothing
	Timeout      time.Duration    // of one run of the CLI; 0 means DefaultTimeout
	TempDir      string           // for private copies of sources; "" means the system's
	Now          func() time.Time // tells which versions are maintained no more; nil means time.Now
}

// Planner plans builds. It is safe for concurrent use.
type Planner struct {
	nixpacks  *nixpacksCLI
	railpack  Railpack
	overrides Overrides
	tempDir   string
	now       func() time.Time
}

// New returns a Planner. The nixpacks CLI is looked up when it is first needed: a repository with a Dockerfile needs none.
func New(o Options) *Planner {
	if o.NixpacksPath == "" {
		o.NixpacksPath = "nixpacks"
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	cli := &nixpacksCLI{program: program{path: o.NixpacksPath, timeout: o.Timeout, tempDir: o.TempDir}}
	return &Planner{nixpacks: cli, railpack: o.Railpack, overrides: o.Overrides, tempDir: o.TempDir, now: o.Now}
}

// Fingerprint identifies what plans depend on besides the repository and the project: the version of slipway, which the caller
// knows, that of the nixpacks CLI, the operator's overrides, and where Railpack is.
func (p *Planner) Fingerprint(ctx context.Context, slipway string) (string, error) {
	nixpacks, err := p.nixpacks.Version(ctx)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal([]any{slipway, nixpacks, p.overrides, p.railpack.Path, p.railpack.Frontend})
	if err != nil {
		return "", fmt.Errorf("encode the plan overrides: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Plan looks at a checkout (the repository without .git) and returns the plan of its build with the Dockerfile to build
// from the plan's root directory. secretNames are the build variables, whose values it never sees. What the repository or
// the project got wrong is a user Failure with code plan.*; a nixpacks CLI that cannot be run is a platform Failure.
func (p *Planner) Plan(ctx context.Context, checkout string, project deployment.Project, secretNames []string) (*deployment.Plan, string, error) {
	project = project.WithDefaults()
	src, err := openSource(checkout, project.RootDir)
	if err != nil {
		return nil, "", fmt.Errorf("plan %s: %w", project.RootDir, err)
	}
	defer src.Close()
	if src.around, err = lookAround(checkout, src); err != nil {
		return nil, "", fmt.Errorf("plan %s: %w", project.RootDir, err)
	}
	if src.around != nil {
		defer src.around.root.Close()
	}

	plan, dockerfile, err := p.planSource(ctx, src, project, sortedNames(secretNames))
	if err != nil {
		return nil, "", fmt.Errorf("plan %s: %w", project.RootDir, err)
	}
	return plan, dockerfile, nil
}

func (p *Planner) planSource(ctx context.Context, src *source, project deployment.Project, secretNames []string) (*deployment.Plan, string, error) {
	plan, dockerfile, err := p.choose(ctx, src, project, secretNames)
	if err != nil {
		return nil, "", err
	}
	if err := setRelease(src, project, plan); err != nil {
		return nil, "", err
	}
	plan.RootDir = src.rel
	plan.NonRoot = project.Build.NonRoot && (plan.Builder == deployment.BuilderNixpacks || plan.Builder == deployment.BuilderStatic)
	plan.SecretNames = secretNames
	plan.Ignore = ignored()
	if project.Port != 0 {
		plan.Port = project.Port
	}
	if plan.Port == 0 {
		plan.Port = deployment.DefaultPort
	}
	if plan.Builder == deployment.BuilderNixpacks {
		if src.around != nil {
			plan.Context = src.around.context()
		}
		if err := setInstallReads(src, plan); err != nil {
			return nil, "", err
		}
	}
	if dockerfile == "" {
		if dockerfile, err = Render(plan); err != nil {
			return nil, "", err
		}
	}
	plan.Warnings = append(plan.Warnings, lookAt(src, project, plan, dockerfile, p.now())...)
	return plan, dockerfile, nil
}

// choose obeys an explicit builder and else takes the first that fits: the author's own Dockerfile says most about how to
// build, then what nixpacks recognises, then files that only need serving.
func (p *Planner) choose(ctx context.Context, src *source, project deployment.Project, secretNames []string) (*deployment.Plan, string, error) {
	switch project.Builder {
	case deployment.BuilderDockerfile:
		return planDockerfile(src, project)
	case deployment.BuilderNixpacks:
		plan, err := p.planNixpacks(ctx, src, project)
		return plan, "", err
	case deployment.BuilderStatic:
		plan, err := planStatic(src, project, p.overrides)
		return plan, "", err
	case deployment.BuilderRailpack:
		return p.planRailpack(ctx, src, project, secretNames)
	case deployment.BuilderAuto:
		path := project.Build.Dockerfile.Path
		info, err := src.Lstat(path) // a link that leads out is a fault, not an absence; so is a file that the project names
		if err == nil && !info.IsDir() || path != deployment.DefaultDockerfile {
			return planDockerfile(src, project)
		}
		plan, err := p.planDetected(ctx, src, project)
		return plan, "", err
	}
	return nil, "", deployment.UserFailure("plan.unknown_builder", "set the project's builder to auto, nixpacks, dockerfile, static or railpack",
		"there is no builder %q", project.Builder)
}

// planDetected lets nixpacks look first. Its own static file server loses against ours: it needs a package set of its own
// to do what one binary does.
func (p *Planner) planDetected(ctx context.Context, src *source, project deployment.Project) (*deployment.Plan, error) {
	first, err := p.planFirst(ctx, src, project)
	if err != nil {
		return nil, err
	}
	defer first.Close()
	found := len(first.native.Phases) > 0
	if !found || slices.Equal(first.native.providers(), []string{"staticfile"}) {
		if _, err := staticFolder(src, project.Build.Static); err == nil && !hasCommands(project) {
			return planStatic(src, project, p.overrides)
		}
		if plan, err := p.planOtherFolder(src, project); plan != nil || err != nil {
			return plan, err
		}
	}
	if !found {
		return nil, nothingToBuild(src)
	}
	return p.planSecond(ctx, src, project, first)
}

func hasCommands(p deployment.Project) bool {
	return p.InstallCommand != "" || p.BuildCommand != "" || p.StartCommand != ""
}

// ignored lists what never enters a build context: history, secrets kept in files, what another tool generated, and
// packages installed on somebody's own machine.
func ignored() []string {
	return []string{"**/.git", "**/.env*", "**/.nixpacks", "**/node_modules"}
}

func sortedNames(names []string) []string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
