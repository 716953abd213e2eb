package planner

import (
	"cmp"
	"path"
	"path/filepath"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// repair is what makes a plan serve that would not.
type repair struct {
	static   *deployment.StaticSettings // serve this folder of what is built
	files    string                     // build nothing and serve this folder of the source
	change   planChange                 // merged over the plan by nixpacks itself, below the project's commands
	nodeEnv  string                     // the major of Node to ask nixpacks for
	warnings []deployment.Warning
}

// repairs look at a plan as nixpacks made it with the project's commands and the operator's overrides.
type repairs struct {
	*look
	repair
	fault     error // what a rule found that nobody but the owner can decide
	overrides Overrides
}

// chooseRepair returns what to change about a plan. The project's own settings are no repair and always count; a repair is
// done where they leave it open and a rule is certain. The zero repair changes nothing.
func chooseRepair(src *source, project deployment.Project, plan *deployment.Plan, native *nativePlan, overrides Overrides) (repair, error) {
	settings := project.Build.Static
	if settings.Folder != "" && project.StartCommand != "" {
		return repair{}, deployment.UserFailure("plan.static_commands", "remove start_command or static.folder from the project",
			"static.folder serves files, and start_command starts something else")
	}
	r := &repairs{look: newLook(src, project, plan, native), overrides: overrides}
	if settings.Folder != "" {
		r.static = &settings
	}
	if project.Build.Repairs == deployment.RepairsOff {
		return r.repair, nil
	}
	if r.static == nil && project.StartCommand == "" {
		for _, rule := range []func() (found bool){r.nxFiles, r.staticOutput, r.pythonStart, r.goMain, r.nodeStart, r.staticIndex} {
			if rule() {
				break
			}
		}
		if r.static != nil {
			r.static.SPA = r.static.SPA || settings.SPA
			r.static.Headers = settings.Headers
		}
	}
	r.devDependency()
	r.namedManager()
	r.bun()
	r.nodeVersion()
	return r.repair, r.fault
}

// say notes what a rule did and what to write to make it explicit.
func (r *repairs) say(code, file string, line int, fix, format string, args ...any) {
	r.warnings = append(r.warnings, deployment.NewWarning(code, file, line, format, args...).Fixed("%s", fix))
}

// starts returns what the plan starts before any repair.
func (r *repairs) starts() string { return strings.TrimSpace(r.plan.StartCommand) }

// command returns what is started with the repairs so far.
func (r *repairs) command() string {
	if r.change.Start != nil {
		return r.change.Start.Cmd
	}
	return r.starts()
}

func (r *repairs) setVariable(name, value string) {
	if r.change.Variables == nil {
		r.change.Variables = map[string]string{}
	}
	r.change.Variables[name] = value
}

func (r *repairs) setPhase(name string, phase phaseChange) {
	r.change = r.change.merged(planChange{Phases: map[string]phaseChange{name: phase}})
}

// ownStart reports whether the repository says to nixpacks what to start. What it says there it says of deploys, and is not repaired.
func (r *repairs) ownStart() bool { return r.src.namesStart() }

// ownBuild reports whether the project or the repository's configuration of nixpacks says how to build.
func (r *repairs) ownBuild() bool { return r.project.BuildCommand != "" || r.src.namesBuild() }

// insideFolder returns a folder that a tool's configuration names, and whether it is one below the root directory.
func insideFolder(name string) (string, bool) {
	folder := path.Clean(cmp.Or(name, "."))
	return folder, folder != "." && filepath.IsLocal(folder) && folderPath.MatchString(folder)
}
