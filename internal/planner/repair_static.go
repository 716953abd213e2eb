package planner

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// staticOutput serves what a front end's build makes where nothing would, or nixpacks' own file server, which has to be
// installed for it, or only a server that is made for development.
func (r *repairs) staticOutput() bool {
	code, script := "repair.static_output", r.manifest.Scripts["start"]
	if r.starts() != "" && !r.ownServer() && !startRun.MatchString(r.starts()) || r.ownStart() {
		return false
	}
	dev := devStart{}
	if script != "" {
		if dev = r.devStart(script, 0); dev.server == "" {
			return false
		}
		code = "repair.dev_server"
	}
	build := r.expand(r.ownCommand(), 0)
	tool, made, ok := r.frontEnd(build)
	if !ok && build == "" && !r.ownBuild() && r.native.command("build") == "" {
		if tool, made, ok = r.frontEnd(dev.makes()); ok {
			r.setPhase("build", phaseChange{Cmds: &[]string{dev.makes()}})
		}
	}
	if !ok {
		return false
	}
	r.static = &deployment.StaticSettings{Folder: made.folder, SPA: made.spa}
	r.sayStatic(code, script, dev, tool, made)
	return true
}

func (r *repairs) sayStatic(code, script string, dev devStart, tool frontEnd, made output) {
	fix := `set static.folder to "` + made.folder + `"`
	if made.spa {
		fix += " and static.spa to true"
	}
	if r.change.Phases != nil {
		fix += ` and build_command to "` + dev.makes() + `"`
	}
	fix += " to keep this, set start_command to start something else, or set repairs to off"
	if script == "" {
		r.say(code, packageJSON, r.keyLine(packageJSON, "scripts", "build"), fix,
			"%s builds a front end and nothing serves it, so the folder %s of the build is served", tool.name, made.folder)
		return
	}
	r.say(code, packageJSON, r.keyLine(packageJSON, "scripts", "start"), fix,
		"the start script runs %q, a server for development, so the folder %s that %s builds is served", dev.server, made.folder, tool.name)
}

// ownCommand returns what builds the app itself, without what is built for it in its workspace before.
func (r *repairs) ownCommand() string {
	if a := r.src.around; a != nil && a.build != nil && r.project.BuildCommand == "" {
		if r.manifest.Scripts["build"] == "" {
			return ""
		}
		return "npm run build"
	}
	return r.native.command("build")
}

var startRun = regexp.MustCompile(`^(?:npm|pnpm|yarn|bun)(?: run)? start$`)

// ownServer reports whether nixpacks serves a front end by itself.
func (r *repairs) ownServer() bool {
	_, own := r.native.Phases[nixpacksServer]
	return own && strings.Contains(r.starts(), "caddy run")
}

// frontEnd returns the tool that makes files with a build script, and the files.
func (r *repairs) frontEnd(script string) (tool frontEnd, made output, ok bool) {
	packages := slices.Concat(slices.Collect(maps.Keys(r.manifest.Dependencies)), slices.Collect(maps.Keys(r.manifest.DevDependencies)))
	for _, tool := range frontEnds() {
		if tool.files != "" && !slices.Contains(packages, tool.files) {
			continue
		}
		server := func(name string) bool {
			return servers.MatchString(name) && !(tool.files != "" && name == "@sveltejs/kit")
		}
		if slices.ContainsFunc(packages, server) {
			continue
		}
		if made, ok := tool.output(r.src, script); ok {
			return tool, made, true
		}
	}
	return frontEnd{}, output{}, false
}

// expand writes the scripts of package.json that a command runs in their place; a script may run others.
func (r *repairs) expand(command string, depth int) string {
	var parts []string
	for part := range strings.SplitSeq(command, "&&") {
		part = strings.TrimSpace(part)
		run, arguments, _ := strings.Cut(part, " -- ")
		if call := scriptRun.FindStringSubmatch(run); call != nil && r.manifest.Scripts[call[1]] != "" && depth < maxNested {
			part = strings.TrimSpace(r.expand(r.manifest.Scripts[call[1]], depth+1) + " " + arguments)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " && ")
}

// maxNested bounds how often a script is looked up that another runs: they may run each other.
const maxNested = 3
