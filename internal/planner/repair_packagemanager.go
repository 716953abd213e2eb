package planner

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var (
	corepackPinned = regexp.MustCompile(`^npm install -g (corepack@0\.24\.1) && corepack enable$`)
	exactManager   = regexp.MustCompile(`^(pnpm|yarn|bun)@((\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?)(?:\+[0-9A-Za-z.]+)?$`)
)

// managerDir is where a package manager is installed that comes before the base image's own.
const managerDir = "/opt/package-manager"

// namedManager installs the package manager that package.json names with npm, where the Corepack that nixpacks installs cannot.
func (r *repairs) namedManager() {
	commands := r.native.Phases["install"].Cmds
	if r.files != "" || len(commands) == 0 {
		return
	}
	corepack := corepackPinned.FindStringSubmatch(commands[0])
	named, file, line := r.managerNamed()
	version := exactManager.FindStringSubmatch(named)
	if corepack == nil || version == nil {
		return
	}
	major, _ := strconv.Atoi(version[3])
	pkg, reason := "pnpm", "cannot run it"
	switch {
	case version[1] == "pnpm" && major >= 11: // an ES module or a binary, where it looks for CommonJS
	case version[1] == "yarn" && major >= 3 && r.overrides.ClearPackages:
		pkg, reason = "@yarnpkg/cli-dist", "takes it from a host that is no package registry"
	default:
		return
	}
	settings, _ := r.npmSettings()
	install := "npm install -g --prefix=" + managerDir + " " + settings + pkg + "@" + version[2]
	all := append([]string{install}, commands[1:]...)
	r.setPhase("install", phaseChange{Cmds: &all, Paths: &[]string{managerDir + "/bin", keep}})
	r.say("repair.package_manager", file, line,
		`set install_command to "`+strings.Join(append([]string{"npm install -g " + settings + pkg + "@" + version[2]}, commands[1:]...), " && ")+`" to keep this, or set repairs to off`,
		"%s@%s is asked for, and %s, which nixpacks installs, %s, so npm installs it", version[1], version[2], corepack[1], reason)
}

// npmSettings returns the flags with which npm reads the .npmrc of the source when it installs a package manager, and what that phase
// has to get for it, nil for all. npm passes over a project's .npmrc when it installs globally; read as the global one, it comes
// after what the operator sets. What it says of scripts is meant for the app's packages, and Bun is no program without its own.
func (r *repairs) npmSettings() (flags string, files *[]string) {
	const name = ".npmrc"
	reads := &installReads{src: r.installedAt().src}
	reads.hide()
	if !reads.there(name) || reads.hides(name) {
		return "", &[]string{}
	}
	reads.add(name)
	reads.npmrc()
	if reads.reason == "" {
		files = &reads.files
	}
	return "--globalconfig=" + name + " --ignore-scripts=false ", files
}

// installedAt returns the folder that the app's packages are installed in: its own, or the root of what is around it.
func (r *repairs) installedAt() *look {
	if a := r.src.around; a != nil && a.runs == deployment.ContextRunsNone {
		return r.look
	}
	at, _ := r.workspace()
	return at
}

// managerNamed returns the package manager that the app, or else the workspace that it is in, asks for, and where.
func (r *repairs) managerNamed() (named, file string, line int) {
	at, up := r.look, ""
	if r.manifest.PackageManager == "" {
		at, up = r.workspace()
	}
	return at.manifest.PackageManager, up + packageJSON, at.keyLine(packageJSON, "packageManager")
}

// workspace returns the workspace that the app is in, and the way there from the app; else the app itself.
func (r *repairs) workspace() (at *look, up string) {
	a := r.src.around
	if a == nil {
		return r.look, ""
	}
	return newLook(a.root, r.project, r.plan, r.native), strings.Repeat("../", 1+strings.Count(a.app, "/"))
}

// matchAround returns the first match of a pattern in a file of the app, or else of the workspace that it is in; nil for none.
func (r *repairs) matchAround(name string, pattern *regexp.Regexp) (groups []string, file string, line int) {
	if groups, line = r.match(name, pattern); groups != nil || r.src.exists(name) {
		return groups, name, line
	}
	at, up := r.workspace()
	groups, line = at.match(name, pattern)
	return groups, up + name, line
}
