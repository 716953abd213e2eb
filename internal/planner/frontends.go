package planner

import "regexp"

// frontEnd is a tool whose build makes files to serve.
type frontEnd struct {
	name    string
	build   *regexp.Regexp // its command in a build script
	make    string         // that command, for a repository that has no such script; empty where more would have to be known
	serve   *regexp.Regexp // its servers for development and for a look at the result: a command with all of its arguments
	folder  string         // of its result, unless the script or the configuration names another
	spa     bool
	files   string                                                         // the package that makes files of what would need a server otherwise; empty where it is always files
	configs []string                                                       // where its configuration may be, the first that exists counts
	key     string                                                         // of the folder in the configuration
	needs   *regexp.Regexp                                                 // the configuration says that no server is needed
	refuses *regexp.Regexp                                                 // the configuration says that a server is needed, or something that is not plain to read
	flag    *regexp.Regexp                                                 // names the folder in the script
	find    func(f frontEnd, config, script string) (made output, ok bool) // instead of key and flag
}

// output is what a build makes.
type output struct {
	folder string
	spa    bool
}

func configNames(name string) []string {
	var names []string
	for _, ending := range []string{".js", ".ts", ".mjs", ".mts", ".cjs", ".cts"} {
		names = append(names, name+ending)
	}
	return names
}

// command matches a command where it stands in a script.
func command(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[\s;&/])` + pattern + `(?:$|[\s;&])`)
}

// server matches a whole command with options.
func server(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`^(?:` + pattern + `)(?:\s+-.*)?$`)
}

// frontEnds are in the order in which they are looked for: what builds with another tool comes before it.
func frontEnds() []frontEnd {
	return []frontEnd{
		{
			name: "SvelteKit", build: command("vite build"), make: "vite build", serve: server("vite(?: dev| serve| preview)?"), files: "@sveltejs/adapter-static",
			configs: configNames("svelte.config"), find: svelteOutput,
		},
		{
			name: "Vite", build: command("vite build"), make: "vite build", serve: server("vite(?: dev| serve| preview)?"), folder: "dist", spa: true,
			configs: configNames("vite.config"), key: "outDir", refuses: regexp.MustCompile(`\b(root|lib|ssr|input)\s*:`), flag: regexp.MustCompile(`--outDir[= ]+(\S+)`),
		},
		{
			name: "Vue CLI", build: command("vue-cli-service build"), make: "vue-cli-service build", serve: server("vue-cli-service serve"), folder: "dist", spa: true,
			configs: configNames("vue.config"), key: "outputDir",
		},
		{
			name: "Create React App", build: command("react-scripts build"), make: "react-scripts build", serve: server("react-scripts start"), folder: "build", spa: true,
		},
		{
			name: "Angular", build: command("ng build"), make: "ng build", serve: server("ng (?:serve|s)"), configs: []string{"angular.json"}, find: angularOutput,
		},
		{
			name: "Astro", build: command("astro build"), make: "astro build", serve: server("astro (?:dev|preview)"), folder: "dist", configs: configNames("astro.config"),
			key: "outDir", refuses: regexp.MustCompile(`\badapter\s*:|\boutput\s*:\s*['"](server|hybrid)['"]`),
		},
		{name: "Gatsby", build: command("gatsby build"), make: "gatsby build", serve: server("gatsby (?:develop|serve)"), folder: "public"},
		{name: "Docusaurus", build: command("docusaurus build"), make: "docusaurus build", serve: server("docusaurus (?:start|serve)"), folder: "build"},
		{
			name: "Next", build: command("next build"), make: "next build", serve: server("next dev"), folder: "out", configs: configNames("next.config"), key: "distDir",
			needs: regexp.MustCompile(`\boutput\s*:\s*['"]export['"]`),
		},
		{
			name: "Eleventy", build: command("(?:@11ty/)?eleventy"), make: "eleventy", serve: server(`(?:@11ty/)?eleventy (?:.*)?--serve`), folder: "_site",
			configs: append([]string{".eleventy.js"}, configNames("eleventy.config")...), key: "output", refuses: regexp.MustCompile(`setOutputDirectory\(`),
			flag: regexp.MustCompile(`--output[= ]+(\S+)`),
		},
		{
			name: "Parcel", build: command("parcel build"), serve: regexp.MustCompile(`^parcel(?: serve| watch)?(?:\s+\S+\.html)?(?:\s+-.*)?$`), folder: "dist", spa: true,
			configs: []string{packageJSON}, refuses: regexp.MustCompile(`"targets"\s*:`), flag: regexp.MustCompile(`(?:--dist-dir|--out-dir|-d)[= ]+(\S+)`),
		},
		{
			name: "webpack", build: command("webpack"), make: "webpack --mode production", serve: server("webpack (?:serve|server)|webpack-dev-server"),
			configs: configNames("webpack.config"), find: webpackOutput,
		},
	}
}

// servers are packages with which a build of these tools is more than files.
var servers = regexp.MustCompile(`^(@sveltejs/kit|@remix-run/.*|@react-router/(node|serve|dev)|@tanstack/.*start|@builder\.io/qwik-city|vike|` +
	`vite-plugin-ssr|@solidjs/start|laravel-vite-plugin|vinxi|nitro|nitropack|express|fastify|koa|hono|@hono/.*|@nestjs/core|@angular/ssr)$`)
