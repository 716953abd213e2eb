package planner

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// frontEnd is a tool whose build makes files to serve.
type frontEnd struct {
	name    string
	build   *regexp.Regexp // its command in a build script
	folder  string         // of its result, unless the script or the configuration names another
	spa     bool
	configs []string       // where its configuration may be, the first that exists counts
	key     string         // of the folder in the configuration
	needs   *regexp.Regexp // the configuration says that no server is needed
	refuses *regexp.Regexp // the configuration says that a server is needed, or something that is not plain to read
	flag    *regexp.Regexp // names the folder in the script
}

func configNames(name string) []string {
	var names []string
	for _, ending := range []string{".js", ".ts", ".mjs", ".mts", ".cjs", ".cts"} {
		names = append(names, name+ending)
	}
	return names
}

func frontEnds() []frontEnd {
	word := func(command string) *regexp.Regexp {
		return regexp.MustCompile(`(?:^|[\s;&/])` + command + `(?:$|[\s;&])`)
	}
	return []frontEnd{
		{
			name: "Vite", build: word("vite build"), folder: "dist", spa: true, configs: configNames("vite.config"), key: "outDir",
			refuses: regexp.MustCompile(`\b(root|lib|ssr|input)\s*:`), flag: regexp.MustCompile(`--outDir[= ]+(\S+)`),
		},
		{name: "Vue CLI", build: word("vue-cli-service build"), folder: "dist", spa: true, configs: configNames("vue.config"), key: "outputDir"},
		{name: "Create React App", build: word("react-scripts build"), folder: "build", spa: true},
		{
			name: "Astro", build: word("astro build"), folder: "dist", configs: configNames("astro.config"), key: "outDir",
			refuses: regexp.MustCompile(`\badapter\s*:|\boutput\s*:\s*['"](server|hybrid)['"]`),
		},
		{name: "Gatsby", build: word("gatsby build"), folder: "public"},
		{name: "Docusaurus", build: word("docusaurus build"), folder: "build"},
		{
			name: "Next", build: word("next build"), folder: "out", configs: configNames("next.config"), key: "distDir",
			needs: regexp.MustCompile(`\boutput\s*:\s*['"]export['"]`),
		},
	}
}

// servers are packages with which a build of these tools is more than files.
var servers = regexp.MustCompile(`^(@sveltejs/kit|@remix-run/.*|@react-router/(node|serve|dev)|@tanstack/.*start|@builder\.io/qwik-city|vike|` +
	`vite-plugin-ssr|@solidjs/start|laravel-vite-plugin|vinxi|nitro|nitropack|express|fastify|koa|hono|@hono/.*|@nestjs/core)$`)

var buildRun = regexp.MustCompile(`^(?:npm|pnpm|yarn|bun)(?: run)? build$`)

// repairStaticOutput serves what a front end's build makes where nothing would, or nixpacks' own file server, which has to
// be installed for it.
func repairStaticOutput(src *source, n *nativePlan) repair {
	_, own := n.Phases[nixpacksServer]
	if strings.TrimSpace(n.Start.Cmd) != "" && (!own || !strings.Contains(n.Start.Cmd, "caddy run")) {
		return repair{}
	}
	data, err := src.read(packageJSON)
	var made manifest
	if err != nil || json.Unmarshal(data, &made) != nil || made.Scripts["start"] != "" {
		return repair{}
	}
	script := strings.TrimSpace(n.command("build"))
	if buildRun.MatchString(script) {
		script = made.Scripts["build"]
	}
	packages := slices.Concat(slices.Collect(maps.Keys(made.Dependencies)), slices.Collect(maps.Keys(made.DevDependencies)))
	if slices.ContainsFunc(packages, servers.MatchString) {
		return repair{}
	}
	for _, tool := range frontEnds() {
		if folder, ok := tool.output(src, script); ok {
			return served(tool, folder, lineOf(data, regexp.MustCompile(`"build"\s*:`)))
		}
	}
	return repair{}
}

func served(tool frontEnd, folder string, line int) repair {
	fix := `set static.folder to "` + folder + `"`
	if tool.spa {
		fix += " and static.spa to true"
	}
	warning := deployment.NewWarning("repair.static_output", packageJSON, line,
		"%s builds a front end and nothing serves it, so the folder %s of the build is served", tool.name, folder).
		Fixed("%s to keep this, set start_command to start something else, or set repairs to off", fix)
	return repair{
		static:   &deployment.StaticSettings{Folder: folder, SPA: tool.spa},
		warnings: []deployment.Warning{warning},
	}
}

// output returns the folder that a build script makes with a tool. It answers false where that is not certain.
func (f frontEnd) output(src *source, script string) (string, bool) {
	if !f.build.MatchString(script) || strings.Contains(script, "--ssr") || strings.Contains(script, "--config") {
		return "", false
	}
	folder := f.folder
	config := f.config(src)
	if f.refuses != nil && f.refuses.MatchString(config) || f.needs != nil && !f.needs.MatchString(config) {
		return "", false
	}
	if f.key != "" && strings.Contains(config, f.key) {
		named := regexp.MustCompile(`\b` + f.key + `\s*:\s*['"]([^'"]+)['"]`).FindStringSubmatch(config)
		if named == nil {
			return "", false
		}
		folder = named[1]
	}
	if f.flag != nil {
		if named := f.flag.FindStringSubmatch(script); named != nil {
			folder = named[1]
		}
	}
	return insideFolder(folder)
}

func (f frontEnd) config(src *source) string {
	for _, name := range f.configs {
		if data, err := src.read(name); err == nil {
			return string(data)
		}
	}
	return ""
}
