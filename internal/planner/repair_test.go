package planner_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func buildManifest(script, dependencies string) string {
	return "{\n  \"name\": \"x\",\n  \"scripts\": {\n    \"build\": \"" + script + "\"\n  },\n  \"devDependencies\": {" + dependencies + "}\n}\n"
}

func angular(builder, options string) string {
	return `{"projects": {"shop": {"projectType": "application", "architect": {"build": {"builder": "` + builder + `", "options": ` + options + `}}}}}`
}

func TestRepair_StaticOutput(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files  map[string]string
		folder string
		spa    bool
	}{
		"vite":          {map[string]string{"package.json": buildManifest("tsc && vite build", "")}, "dist", true},
		"vite's folder": {map[string]string{"package.json": buildManifest("vite build", ""), "vite.config.ts": "export default {build: {outDir: './www'}}"}, "www", true},
		"vite's flag":   {map[string]string{"package.json": buildManifest("vite build --outDir out", "")}, "out", true},
		"vue":           {map[string]string{"package.json": buildManifest("vue-cli-service build", ""), "vue.config.js": "module.exports = {outputDir: 'public'}"}, "public", true},
		"react":         {map[string]string{"package.json": buildManifest("react-scripts build", `"react-scripts": "5.0.1"`)}, "build", true},
		"astro":         {map[string]string{"package.json": buildManifest("astro build", "")}, "dist", false},
		"gatsby":        {map[string]string{"package.json": buildManifest("gatsby build", "")}, "public", false},
		"docusaurus":    {map[string]string{"package.json": buildManifest("docusaurus build", "")}, "build", false},
		"svelte": {map[string]string{
			"package.json":     buildManifest("vite build", `"@sveltejs/kit": "2.0.0", "@sveltejs/adapter-static": "3.0.0"`),
			"svelte.config.js": "import adapter from '@sveltejs/adapter-static'; export default {kit: {adapter: adapter({fallback: 'index.html'})}}",
		}, "build", true},
		"svelte's pages": {map[string]string{
			"package.json":     buildManifest("vite build", `"@sveltejs/kit": "2.0.0", "@sveltejs/adapter-static": "3.0.0"`),
			"svelte.config.js": "import adapter from '@sveltejs/adapter-static'; export default {kit: {adapter: adapter({pages: 'site'})}}",
		}, "site", false},
		"angular":           {map[string]string{"package.json": buildManifest("ng build", ""), "angular.json": angular("@angular/build:application", `{}`)}, "dist/shop/browser", true},
		"angular's folder":  {map[string]string{"package.json": buildManifest("ng build", ""), "angular.json": angular("@angular-devkit/build-angular:application", `{"outputPath": "out"}`)}, "out/browser", true},
		"angular's folders": {map[string]string{"package.json": buildManifest("ng build shop", ""), "angular.json": angular("@angular/build:application", `{"outputPath": {"base": "out", "browser": ""}}`)}, "out", true},
		"an older angular":  {map[string]string{"package.json": buildManifest("ng build", ""), "angular.json": angular("@angular-devkit/build-angular:browser", `{"outputPath": "dist/x"}`)}, "dist/x", true},
		"eleventy":          {map[string]string{"package.json": buildManifest("npx @11ty/eleventy", "")}, "_site", false},
		"eleventy's folder": {map[string]string{"package.json": buildManifest("eleventy", ""), ".eleventy.js": "module.exports = () => ({dir: {input: 'src', output: 'www'}})"}, "www", false},
		"parcel":            {map[string]string{"package.json": buildManifest("parcel build src/index.html", "")}, "dist", true},
		"parcel's flag":     {map[string]string{"package.json": buildManifest("parcel build index.html --dist-dir out", "")}, "out", true},
		"webpack": {map[string]string{
			"package.json":      buildManifest("webpack --mode production", ""),
			"webpack.config.js": "const HtmlWebpackPlugin = require('html-webpack-plugin'); module.exports = {output: {path: path.resolve(__dirname, 'public')}}",
		}, "public", true},
		"a script that runs another": {map[string]string{
			"package.json": "{\n\"scripts\": {\"lint\": \"eslint .\",\n\"build\": \"npm run lint && npm run build:site\", \"x\": \"\",\n\"build:site\": \"astro build\"}\n}",
		}, "dist", false},
		"an exported next": {map[string]string{"package.json": buildManifest("next build", ""), "next.config.js": "module.exports = {output: 'export'}"}, "out", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{}, nil)
			require.NoError(t, err)
			require.Equal(t, &deployment.StaticSettings{Folder: test.folder, SPA: test.spa}, plan.Static)
			require.Empty(t, plan.StartCommand)
			require.Len(t, parse(t, dockerfile), 2)
			require.Contains(t, dockerfile, `COPY --from=build ["/app/`+test.folder+`", "/srv"]`)
			require.NotContains(t, dockerfile, "caddy fmt")
			w := plan.Warnings[0]
			require.Equal(t, "package.json", w.File)
			require.Equal(t, "repair.static_output", w.Code)
			require.Contains(t, strings.Split(test.files["package.json"], "\n")[w.Line-1], `"build"`)
			require.Contains(t, w.Fix, `static.folder to "`+test.folder+`"`)
		})
	}
}

func TestRepair_NothingThatIsNotCertain(t *testing.T) {
	t.Parallel()
	vite := map[string]string{"package.json": buildManifest("vite build", "")}
	off := deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}
	tests := map[string]struct {
		files   map[string]string
		project deployment.Project
	}{
		"repairs are off":     {vite, off},
		"a server beside":     {map[string]string{"package.json": buildManifest("vite build", `"express": "5.0.0"`)}, deployment.Project{}},
		"another build":       {map[string]string{"package.json": buildManifest("tsc", "")}, deployment.Project{}},
		"a computed folder":   {map[string]string{"package.json": buildManifest("vite build", ""), "vite.config.js": "export default {build: {outDir: dir}}"}, deployment.Project{}},
		"a folder outside":    {map[string]string{"package.json": buildManifest("vite build --outDir ../x", "")}, deployment.Project{}},
		"a server of astro's": {map[string]string{"package.json": buildManifest("astro build", ""), "astro.config.mjs": "export default {adapter: node()}"}, deployment.Project{}},
		"svelte with a server of its own": {map[string]string{
			"package.json":     buildManifest("vite build", `"@sveltejs/kit": "2.0.0", "@sveltejs/adapter-static": "3.0.0"`),
			"svelte.config.js": "import adapter from '@sveltejs/adapter-node'",
		}, deployment.Project{}},
		"svelte's unknown fallback": {map[string]string{
			"package.json":     buildManifest("vite build", `"@sveltejs/kit": "2.0.0", "@sveltejs/adapter-static": "3.0.0"`),
			"svelte.config.js": "import adapter from '@sveltejs/adapter-static'; adapter({fallback: '200.html'})",
		}, deployment.Project{}},
		"angular with a server":     {map[string]string{"package.json": buildManifest("ng build", ""), "angular.json": angular("@angular/build:application", `{"ssr": {"entry": "server.ts"}}`)}, deployment.Project{}},
		"angular that is a library": {map[string]string{"package.json": buildManifest("ng build", ""), "angular.json": angular("@angular/build:ng-packagr", `{}`)}, deployment.Project{}},
		"webpack without a page":    {map[string]string{"package.json": buildManifest("webpack", "")}, deployment.Project{}},
		"parcel with targets":       {map[string]string{"package.json": `{"targets": {}, "scripts": {"build": "parcel build"}}`}, deployment.Project{}},
		"next without an export":    {map[string]string{"package.json": buildManifest("next build", "")}, deployment.Project{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			requireFailure(t, err, deployment.ClassUser, "plan.no_start_command")
		})
	}
	plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, vite), deployment.Project{StartCommand: "node x.js"}, nil)
	require.NoError(t, err)
	require.Nil(t, plan.Static)
	require.Equal(t, "node x.js", plan.StartCommand)
}

func TestStaticFolderOfTheProject(t *testing.T) {
	t.Parallel()
	build := deployment.BuildSettings{Repairs: deployment.RepairsOff, Static: deployment.StaticSettings{
		Folder: "site/", Headers: []deployment.StaticHeader{{Path: "/*", Name: "X-Say", Value: `a "b" {env.HOME} \`}},
	}}
	files := map[string]string{"package.json": buildManifest("make site", ""), "site/index.html": "hi"}
	plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{Build: build}, nil)
	require.NoError(t, err)
	require.Equal(t, "site", plan.Static.Folder)
	require.Contains(t, plan.Assets["Caddyfile"], "header /* X-Say `a \"b\" \\{env.HOME\\} \\`\n")
	require.NotContains(t, plan.Assets["Caddyfile"], "/index.html /index.html", "no fallback for a site")

	_, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{Builder: deployment.BuilderStatic, Build: build}, nil)
	require.NoError(t, err)
	require.Contains(t, dockerfile, `COPY ["site", "/srv"]`)

	_, _, err = newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{StartCommand: "node x.js", Build: build}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.static_commands")
}

func TestStaticHeaders_NothingIsInjected(t *testing.T) {
	t.Parallel()
	for _, h := range []deployment.StaticHeader{
		{Path: "/*", Name: "X", Value: "a`\n}"},
		{Path: "/*", Name: "X", Value: "{$HOME}"},
		{Path: "/*", Name: "-X", Value: ""},
		{Path: "/* {", Name: "X", Value: ""},
	} {
		project := deployment.Project{Builder: deployment.BuilderStatic}
		project.Build.Static.Headers = []deployment.StaticHeader{h}
		_, _, err := planner.New(planner.Options{}).Plan(t.Context(), repo("static-public"), project, nil)
		requireFailure(t, err, deployment.ClassUser, "plan.unsafe_value")
	}
}
