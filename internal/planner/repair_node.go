package planner

import (
	"cmp"
	"path"
	"regexp"
	"strings"
)

// listens matches what makes a file of JavaScript a server.
var listens = regexp.MustCompile(`\.listen\s*\(|\bserve\s*\(`)

// nodeStart starts a server of Node's that has no start script, and the one whose start script nixpacks passes over because a
// front end lies beside it.
func (r *repairs) nodeStart() bool {
	if !r.provides("node") || r.ownStart() {
		return false
	}
	if r.ownServer() {
		return r.startScriptWins()
	}
	start, file, line := r.serverStart()
	if start == "" {
		return false
	}
	why := "listens"
	script, byNode := strings.CutPrefix(start, "node ")
	if used := r.usesBun(file); byNode && used > 0 {
		start, why, line = "bun "+script, "needs Bun", used
	}
	r.change.Start = &startChange{Cmd: start}
	r.say("repair.node_start", file, line,
		`write "start": "`+start+`" into the scripts of `+packageJSON+" to keep this, set start_command to start something else, or set repairs to off",
		"%s %s and package.json has no start script, so %q starts the app", file, why, start)
	return true
}

var nodeRuns = regexp.MustCompile(`^node (\S+)$`)

// serverStart returns the start of a server that nixpacks does not start, or starts with Node where it needs Bun.
func (r *repairs) serverStart() (start, file string, line int) {
	if starts := r.starts(); starts != "" {
		if runs := nodeRuns.FindStringSubmatch(starts); runs != nil && r.usesBun(runs[1]) > 0 {
			return starts, path.Clean(runs[1]), 1
		}
		return "", "", 0
	}
	if start, file, line = r.compiledMain(); start != "" {
		return start, file, line
	}
	if start, file, line = r.serverFile(); start == "" && r.packageManager() == "bun" {
		return r.bunServer()
	}
	return start, file, line
}

// startScriptWins starts the server that a start script runs instead of nixpacks' own, which would serve the front end alone.
func (r *repairs) startScriptWins() bool {
	script := r.manifest.Scripts["start"]
	if script == "" || devServer.MatchString(r.expand(script, 0)) {
		return false
	}
	start := r.packageManager() + " run start"
	none := &[]string{}
	r.change.Start = &startChange{Cmd: start}
	r.setPhase(nixpacksServer, phaseChange{Cmds: none, NixPkgs: none})
	r.say("repair.node_start", packageJSON, r.keyLine(packageJSON, "scripts", "start"),
		`set start_command to "`+start+`" to keep this, set static.folder to serve the front end alone, or set repairs to off`,
		"the start script runs %q, and nixpacks would only serve the front end's files, so the script starts the app", script)
	return true
}

// packageManager is the one that installs.
func (r *repairs) packageManager() string {
	return cmp.Or(callsManager(r.native.command("install")), "npm")
}

// compiledMain returns the start of an app whose main file the build makes, known by the source that listens.
func (r *repairs) compiledMain() (start, file string, line int) {
	main := path.Clean(r.manifest.Main)
	if r.manifest.Main == "" || !scriptPath.MatchString(main) || r.src.exists(main) || r.native.command("build") == "" {
		return "", "", 0
	}
	source := strings.TrimSuffix(path.Base(main), path.Ext(main)) + ".ts"
	for _, name := range []string{"src/" + source, source} {
		if _, line := r.match(name, listens); line > 0 {
			return "node " + main, name, line
		}
	}
	return "", "", 0
}

var scriptPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*\.[cm]?js$`)

// serverFile returns the start of the first file by its usual name that listens.
func (r *repairs) serverFile() (start, file string, line int) {
	for _, folder := range []string{".", "src", "server"} {
		for _, name := range []string{"server", "app", "index", "main"} {
			for _, ending := range []string{".js", ".mjs", ".cjs"} {
				file := path.Join(folder, name+ending)
				if _, line := r.match(file, listens); line > 0 {
					return "node " + file, file, line
				}
			}
		}
	}
	return "", "", 0
}
