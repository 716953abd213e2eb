package planner

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// releasePhase is the phase that nixpacks makes of a Procfile's release line, to be run while the image is built.
const releasePhase = "release"

const procfile = "Procfile"

// procfileRelease returns the command of the Procfile's release line, "" for none. A file that cannot be read is nixpacks' to
// report, which reads it as YAML too.
func procfileRelease(src *source) string {
	data, err := src.read(procfile)
	if err != nil {
		return ""
	}
	var processes map[string]string
	if err := yaml.Unmarshal(data, &processes); err != nil {
		return ""
	}
	return processes["release"]
}

// takeRelease takes the phase out of a plan of nixpacks that is the Procfile's release line and nothing else, and reports whether
// there was one. A phase of that name which the repository's own configuration changes is a phase of the build.
func (n *nativePlan) takeRelease(command string) bool {
	if command == "" || !slices.Equal(n.Phases[releasePhase].Cmds, []string{command}) {
		return false
	}
	delete(n.Phases, releasePhase)
	return true
}

// setRelease fills in what is run once in the new image: the project's command, else the Procfile's, which a plan of nixpacks has
// already. An image that serves files has nothing to run it with.
func setRelease(src *source, project deployment.Project, plan *deployment.Plan) error {
	files := plan.Static != nil || plan.Builder == deployment.BuilderStatic
	switch {
	case files && project.ReleaseCommand != "":
		return deployment.UserFailure("plan.static_commands", "remove release_command from the project, or set its start_command to start an app",
			"the image serves files alone, and cannot run the release_command %q", project.ReleaseCommand)
	case files:
		plan.ReleaseCommand, plan.ReleaseFrom = "", deployment.ReleaseFromNone
	case project.ReleaseCommand != "":
		plan.ReleaseCommand, plan.ReleaseFrom = project.ReleaseCommand, deployment.ReleaseFromProject
	case plan.Builder == deployment.BuilderRailpack:
		if command := strings.TrimSpace(procfileRelease(src)); command != "" {
			plan.ReleaseCommand, plan.ReleaseFrom = command, deployment.ReleaseFromProcfile
		}
	}
	return nil
}

var releaseLine = regexp.MustCompile(`(?m)^(release):`)

// releaseWarnings tells of a Procfile's release line that is not run.
func (l *look) releaseWarnings() {
	command := procfileRelease(l.src)
	if command == "" || l.plan.ReleaseCommand != "" || len(l.native.Phases[releasePhase].Cmds) > 0 {
		return
	}
	_, line := l.match("Procfile", releaseLine)
	why := "the image serves files alone"
	if l.plan.Builder == deployment.BuilderDockerfile {
		why = "of a repository with a Dockerfile the Procfile is not read"
	}
	l.warn("release.ignored", "Procfile", line, "the release command %q is not run: %s", command, why)
}
