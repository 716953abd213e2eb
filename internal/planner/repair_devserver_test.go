package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func startManifest(start, build, more string) string {
	if build != "" {
		build = ", \"build\": \"" + build + "\""
	}
	return "{\n\"scripts\": {\n\"preview\": \"vite preview\"" + build + ",\n\"start\": \"" + start + "\"\n}" + more + "\n}"
}

func TestRepair_DevServer(t *testing.T) {
	t.Parallel()
	const react = `, "dependencies": {"react": "19.0.0"}, "devDependencies": {"vite": "6.0.0"}` // nixpacks serves it by itself
	tests := map[string]struct {
		files  map[string]string
		folder string
		build  string
	}{
		"vite":                     {map[string]string{"package.json": startManifest("vite", "vite build", "")}, "dist", "npm run build"},
		"vite and react":           {map[string]string{"package.json": startManifest("vite --host", "vite build", react)}, "dist", "npm run build"},
		"with arguments":           {map[string]string{"package.json": startManifest("npm run build && npm run preview -- --host", "vite build", "")}, "dist", "npm run build"},
		"a nested preview":         {map[string]string{"package.json": startManifest("npm run build && npm run preview", "tsc -b && vite build", "")}, "dist", "npm run build"},
		"without a script":         {map[string]string{"package.json": startManifest("vite build && vite preview", "", "")}, "dist", "vite build"},
		"ng serve":                 {map[string]string{"package.json": startManifest("ng serve", "ng build", ""), "angular.json": angular("@angular/build:application", `{}`)}, "dist/shop/browser", "npm run build"},
		"react-scripts":            {map[string]string{"package.json": startManifest("BROWSER=none react-scripts start", "react-scripts build", "")}, "build", "npm run build"},
		"no build at all":          {map[string]string{"package.json": startManifest("react-scripts start", "", "")}, "build", "react-scripts build"},
		"parcel":                   {map[string]string{"package.json": startManifest("parcel src/index.html", "", "")}, "dist", "parcel build src/index.html"},
		"astro dev":                {map[string]string{"package.json": startManifest("astro dev", "astro build", "")}, "dist", "npm run build"},
		"vue":                      {map[string]string{"package.json": startManifest("npx vue-cli-service serve", "vue-cli-service build", "")}, "dist", "npm run build"},
		"webpack-dev-server":       {map[string]string{"package.json": startManifest("webpack-dev-server --hot", "webpack", ""), "webpack.config.js": "new HtmlWebpackPlugin()"}, "dist", "npm run build"},
		"more than a server":       {map[string]string{"package.json": startManifest("vite & node server.js", "vite build", "")}, "", ""},
		"a port that is asked for": {map[string]string{"package.json": startManifest("vite preview --host --port $PORT", "vite build", "")}, "", ""},
		"another server in it":     {map[string]string{"package.json": startManifest("vite", "vite build", `, "dependencies": {"express": "5.0.0"}`)}, "", ""},
		"the Procfile says it":     {map[string]string{"package.json": startManifest("vite", "vite build", ""), "Procfile": "web: npm run start\n"}, "", ""},
		"the build is the owner's": {map[string]string{"package.json": startManifest("vite", "", ""), "nixpacks.toml": "[phases.build]\ncmds = [\"make\"]\n"}, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{}, nil)
			require.NoError(t, err)
			if test.folder == "" {
				require.Nil(t, plan.Static)
				require.NotContains(t, codes(plan), "repair.dev_server")
				return
			}
			require.Equal(t, test.folder, plan.Static.Folder)
			require.Equal(t, test.build, plan.BuildCommand)
			require.Empty(t, plan.StartCommand)
			require.Contains(t, dockerfile, " "+test.build+"\n")
			require.Equal(t, "repair.dev_server package.json:4", place(plan.Warnings[0]))
			require.NotContains(t, codes(plan), "start.dev_server")
		})
	}
}

func codes(plan *deployment.Plan) (codes []string) {
	for _, w := range plan.Warnings {
		codes = append(codes, w.Code)
	}
	return codes
}
