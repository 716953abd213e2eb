package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// firstPass is what nixpacks makes of a source by itself, on a private copy that is there until Close.
type firstPass struct {
	dir     string
	dropped []string // links that lead out of the source and are not in the copy
	native  *nativePlan
	pinned  []string // what it is planned as, where nixpacks by itself recognises nothing
	release string   // command of the Procfile's release line
	src     *source
}

// planFirst copies the source and plans it without the project's commands, which would add phases of their own and hide
// that nixpacks recognises nothing: then the plan has no phases.
func (p *Planner) planFirst(ctx context.Context, src *source, project deployment.Project) (*firstPass, error) {
	dir, dropped, err := p.privateCopyAround(ctx, src)
	if err != nil {
		return nil, err
	}
	first := &firstPass{dir: dir, dropped: dropped, release: procfileRelease(src.planned(procfile)), src: src}
	if err := first.plan(ctx, p, src, project); err != nil {
		first.Close()
		return nil, err
	}
	return first, nil
}

// plan plans the copy, as Go where nixpacks does not see that it is.
func (f *firstPass) plan(ctx context.Context, p *Planner, src *source, project deployment.Project) (err error) {
	if f.native, _, err = p.nativePlan(ctx, f.dir, f.env()...); err != nil {
		return err
	}
	if len(f.native.Phases) > 0 || project.Build.Repairs == deployment.RepairsOff || !goWithoutModule(src) {
		return nil
	}
	f.pinned = []string{"go"}
	args, err := planArgs(deployment.Project{}, planChange{Providers: f.pinned})
	if err != nil {
		return err
	}
	f.native, _, err = p.nativePlan(ctx, f.dir, args...)
	return err
}

// Close removes the copy.
func (f *firstPass) Close() { os.RemoveAll(filepath.Dir(f.dir)) }

// privateCopy copies the source into a folder below a new one, which is the caller's to remove.
func (p *Planner) privateCopy(ctx context.Context, src *source) (dir string, dropped []string, err error) {
	parent, err := os.MkdirTemp(p.tempDir, "slipway-plan-*")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for planning: %w", err)
	}
	dir = filepath.Join(parent, "app") // nixpacks calls what it builds by the folder's name, where nothing else names it
	if err = os.Mkdir(dir, 0o700); err != nil {
		err = fmt.Errorf("make a folder for planning: %w", err)
	} else if dropped, err = copyPrivate(ctx, src, dir); err != nil {
		err = fmt.Errorf("copy the source for planning: %w", err)
	}
	if err != nil {
		os.RemoveAll(parent)
	}
	return dir, dropped, err
}

// planNixpacks plans with nixpacks or says why that is impossible.
func (p *Planner) planNixpacks(ctx context.Context, src *source, project deployment.Project) (*deployment.Plan, error) {
	first, err := p.planFirst(ctx, src, project)
	if err != nil {
		return nil, err
	}
	defer first.Close()
	if len(first.native.Phases) == 0 {
		return nil, noProvider(src)
	}
	return p.planSecond(ctx, src, project, first)
}

// planSecond plans with the project's commands and the operator's overrides, which have to be spelled out for the phases
// that the first pass found; nixpacks itself merges all.
func (p *Planner) planSecond(ctx context.Context, src *source, project deployment.Project, first *firstPass) (*deployment.Plan, error) {
	version, err := p.nixpacks.Version(ctx)
	if err != nil {
		return nil, err
	}
	plan, native, err := p.planWith(ctx, first, project, repair{}, version)
	if err != nil {
		return nil, err
	}
	fix, err := chooseRepair(src, project, plan, native, p.overrides)
	if err != nil {
		return nil, err
	}
	if fix.files != "" {
		project.Build.Static.Folder = fix.files
		if plan, err = planStatic(src, project, p.overrides); err != nil {
			return nil, err
		}
	} else if plan, err = p.repaired(ctx, first, project, fix, plan); err != nil {
		return nil, err
	}
	plan.Warnings = slices.Concat(linkWarnings(first.dropped), fix.warnings)
	return plan, nil
}

// repaired returns the plan with a repair in it.
func (p *Planner) repaired(ctx context.Context, first *firstPass, project deployment.Project, fix repair, plan *deployment.Plan) (*deployment.Plan, error) {
	if !fix.change.empty() || fix.nodeEnv != "" {
		var err error
		if plan, _, err = p.planWith(ctx, first, project, fix, plan.BuilderVersion); err != nil {
			return nil, err
		}
	}
	if _, removed := fix.change.Phases[nixpacksServer]; removed {
		delete(plan.Assets, caddyfileName)
	}
	if fix.static != nil {
		return plan, serveResult(plan, *fix.static, p.overrides)
	}
	if strings.TrimSpace(plan.StartCommand) == "" {
		return nil, noStartCommand(plan.Providers)
	}
	return plan, nil
}

// planWith runs nixpacks with the project's commands, the operator's overrides and a repair.
func (p *Planner) planWith(ctx context.Context, first *firstPass, project deployment.Project, fix repair, version string) (*deployment.Plan, *nativePlan, error) {
	args, err := planArgs(first.commands(project), planChange{Providers: first.pinned}.merged(p.overrides.planChange(first.native)).merged(fix.change))
	if err != nil {
		return nil, nil, err
	}
	if fix.nodeEnv != "" {
		args = append(args, "--env="+nodeVersionVariable+"="+fix.nodeEnv)
	}
	native, raw, err := p.nativePlan(ctx, first.dir, append(args, first.env()...)...)
	if err != nil {
		return nil, nil, err
	}
	released := native.takeRelease(first.release)
	plan, err := fromNative(native, raw, version)
	if err != nil {
		return nil, nil, err
	}
	if released {
		plan.ReleaseCommand, plan.ReleaseFrom = first.release, deployment.ReleaseFromProcfile
		if plan.Native, err = withoutPhases(plan.Native, releasePhase); err != nil {
			return nil, nil, err
		}
	}
	if fix.nodeEnv != "" {
		delete(plan.Variables, nodeVersionVariable) // it told nixpacks, and nobody else
	}
	return plan, native, nil
}

// nativePlan runs `nixpacks plan` on dir and returns the plan, read and raw.
func (p *Planner) nativePlan(ctx context.Context, dir string, args ...string) (*nativePlan, []byte, error) {
	raw, err := p.nixpacks.run(ctx, dir, append([]string{"plan", "--format", "json", dir}, args...)...)
	if err != nil {
		return nil, nil, err
	}
	native, err := decodeNative(raw)
	return native, raw, err
}

// planArgs returns the flags of a pass after the first. Values are joined to their flags, or a command that starts with a hyphen
// would be read as one.
func planArgs(project deployment.Project, change planChange) ([]string, error) {
	var args []string
	for _, flag := range []struct{ name, value string }{
		{"--install-cmd", project.InstallCommand},
		{"--build-cmd", project.BuildCommand},
		{"--start-cmd", project.StartCommand},
	} {
		if flag.value != "" {
			args = append(args, flag.name+"="+flag.value)
		}
	}
	if change.empty() {
		return args, nil
	}
	data, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("encode the plan overrides: %w", err)
	}
	return append(args, "--json-plan="+string(data)), nil
}

func fromNative(native *nativePlan, raw []byte, version string) (*deployment.Plan, error) {
	redacted, err := redact(raw)
	if err != nil {
		return nil, err
	}
	variables := native.Variables
	delete(variables, "PORT") // the platform sets it at run; one that is baked in would contradict the plan's port
	return &deployment.Plan{
		Builder:        deployment.BuilderNixpacks,
		BuilderVersion: version,
		Providers:      native.providers(),
		InstallCommand: native.command("install"),
		BuildCommand:   native.command("build"),
		StartCommand:   native.Start.Cmd,
		Variables:      variables,
		Assets:         native.StaticAssets,
		Native:         redacted,
	}, nil
}
