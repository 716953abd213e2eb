package planner

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// omitting matches commands that install without development dependencies or remove them. npm is not among them: with
// NPM_CONFIG_PRODUCTION=false, which nixpacks sets, its flags do nothing of the kind.
var omitting = []struct {
	manager string
	command *regexp.Regexp
}{
	{"yarn", regexp.MustCompile(`\byarn(?: install)?(?: [^&|;]*)? --prod(?:uction)?(?:$|\s|=true)`)},
	{"pnpm", regexp.MustCompile(`\bpnpm (?:i|install|prune)(?: [^&|;]*)? (?:--prod|--production|-P)(?:$|\s|=true)`)},
	{"bun", regexp.MustCompile(`\bbun (?:i|install)(?: [^&|;]*)? --production(?:$|\s)`)},
}

// toolPackages are the packages of tools that are called otherwise.
var toolPackages = map[string]string{
	"tsc": "typescript", "ng": "@angular/cli", "nest": "@nestjs/cli", "babel-node": "@babel/node", "dotenv": "dotenv-cli", "run-s": "npm-run-all",
	"run-p": "npm-run-all", "remix-serve": "@remix-run/serve", "react-router-serve": "@react-router/serve", "ts-node-esm": "ts-node", "tsm": "tsm",
}

const productionVariable = "NPM_CONFIG_PRODUCTION"

// devDependency keeps the development dependencies of an app whose start script needs a tool that only they bring.
func (r *repairs) devDependency() {
	if !r.provides("node") || r.static != nil || r.files != "" {
		return
	}
	tool := r.devTool(r.expand(r.command(), 0))
	if tool == "" {
		return
	}
	commands := r.expand(r.native.command("install"), 0) + " && " + r.expand(r.native.command("build"), 0)
	line := r.keyLine(packageJSON, "devDependencies", tool)
	fix := "move " + tool + " to the dependencies in " + packageJSON + "; set repairs to off to have it left alone"
	if value := r.native.Variables[productionVariable]; value != "" && value != "false" {
		r.setVariable(productionVariable, "false")
		r.say("repair.dev_dependency", packageJSON, line, fix,
			"the start script needs %s, which %s=%s would leave out, so development dependencies are installed", tool, productionVariable, value)
		return
	}
	for _, o := range omitting {
		if omits := o.command.FindString(commands); omits != "" {
			r.installAgain(o.manager)
			r.say("repair.dev_dependency", packageJSON, line, fix,
				"the start script needs %s, which %q leaves out, so development dependencies are installed in the end", tool, strings.TrimSpace(omits))
			return
		}
	}
}

var preload = regexp.MustCompile(`(?:^|\s)(?:-r|--require|--import|--loader|--experimental-loader)[ =]((?:@[^/\s]+/)?[^/\s]+)`)

// devTool returns the package of a tool that a start command runs and that only development dependencies bring.
func (r *repairs) devTool(start string) string {
	for part := range strings.SplitSeq(start, "&&") {
		plain := runner.ReplaceAllString(environments.ReplaceAllString(strings.TrimSpace(part), ""), "")
		names := []string{firstWord(plain)}
		for _, loaded := range preload.FindAllStringSubmatch(plain, -1) {
			names = append(names, loaded[1])
		}
		for _, name := range names {
			name = cmp.Or(toolPackages[name], name)
			_, develops := r.manifest.DevDependencies[name]
			if _, needs := r.manifest.Dependencies[name]; develops && !needs {
				return name
			}
		}
	}
	return ""
}

// installAgain adds a phase that brings back what a build has removed.
func (r *repairs) installAgain(manager string) {
	command, locks := "bun install", bunLocks
	switch manager {
	case "yarn":
		command, locks = "yarn install --production=false", []string{"yarn.lock"}
	case "pnpm":
		command, locks = "pnpm install --prod=false", []string{"pnpm-lock.yaml"}
	}
	if slices.ContainsFunc(locks, r.src.exists) {
		command += " --frozen-lockfile"
	}
	caches := r.native.Phases["install"].CacheDirectories
	r.setPhase("tools:install", phaseChange{DependsOn: &[]string{"install", "build"}, Cmds: &[]string{command}, CacheDirectories: &caches})
}
