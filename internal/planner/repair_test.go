package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func buildManifest(script, dependencies string) string {
	return "{\n  \"name\": \"x\",\n  \"scripts\": {\n    \"build\": \"" + script + "\"\n  },\n  \"devDependencies\": {" + dependencies + "}\n}\n"
}

func TestRepair_StaticOutput(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files  map[string]string
		folder string
		spa    bool
	}{
		"vite":             {map[string]string{"package.json": buildManifest("tsc && vite build", "")}, "dist", true},
		"vite's folder":    {map[string]string{"package.json": buildManifest("vite build", ""), "vite.config.ts": "export default {build: {outDir: './www'}}"}, "www", true},
		"vite's flag":      {map[string]string{"package.json": buildManifest("vite build --outDir out", "")}, "out", true},
		"vue":              {map[string]string{"package.json": buildManifest("vue-cli-service build", ""), "vue.config.js": "module.exports = {outputDir: 'public'}"}, "public", true},
		"react":            {map[string]string{"package.json": buildManifest("react-scripts build", `"react-scripts": "5.0.1"`)}, "build", true},
		"astro":            {map[string]string{"package.json": buildManifest("astro build", "")}, "dist", false},
		"gatsby":           {map[string]string{"package.json": buildManifest("gatsby build", "")}, "public", false},
		"docusaurus":       {map[string]string{"package.json": buildManifest("docusaurus build", "")}, "build", false},
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
			require.Equal(t, "repair.static_output package.json", w.Code+" "+w.File)
			require.Equal(t, 4, w.Line)
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
		"repairs are off":        {vite, off},
		"a server beside":        {map[string]string{"package.json": buildManifest("vite build", `"express": "5.0.0"`)}, deployment.Project{}},
		"another build":          {map[string]string{"package.json": buildManifest("tsc", "")}, deployment.Project{}},
		"a computed folder":      {map[string]string{"package.json": buildManifest("vite build", ""), "vite.config.js": "export default {build: {outDir: dir}}"}, deployment.Project{}},
		"a folder outside":       {map[string]string{"package.json": buildManifest("vite build --outDir ../x", "")}, deployment.Project{}},
		"a server of astro's":    {map[string]string{"package.json": buildManifest("astro build", ""), "astro.config.mjs": "export default {adapter: node()}"}, deployment.Project{}},
		"next without an export": {map[string]string{"package.json": buildManifest("next build", "")}, deployment.Project{}},
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
