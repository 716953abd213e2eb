package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func TestRepair_NodeVersion(t *testing.T) {
	t.Parallel()
	engines := func(wish string) map[string]string {
		return map[string]string{"package.json": "{\n\"engines\": {\"node\": \"" + wish + "\"},\n\"scripts\": {\"start\": \"node x.js\"}}"}
	}
	file := func(name, wish string) map[string]string {
		return map[string]string{"package.json": `{"scripts": {"start": "node x.js"}}`, name: wish}
	}
	with := func(files map[string]string, name, text string) map[string]string {
		files[name] = text
		return files
	}
	off := deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}
	base := planner.Overrides{BuildImage: "own/base", ClearPackages: true, NodeVersion: "22"}
	tests := map[string]struct {
		files     map[string]string
		project   deployment.Project
		overrides planner.Overrides
		node      string // in a plan of nixpacks' own
		at        string // empty when nothing is repaired
		variables map[string]string
	}{
		"between two":          {engines("23"), deployment.Project{}, planner.Overrides{}, "24", "package.json:2", nil},
		"newer than all":       {engines(">=25"), deployment.Project{}, planner.Overrides{}, "24", "package.json:2", nil},
		"by its code name":     {file(".nvmrc", "lts/krypton\n"), deployment.Project{}, planner.Overrides{}, "24", ".nvmrc:1", nil},
		"the newest":           {file(".node-version", "latest"), deployment.Project{}, planner.Overrides{}, "24", ".node-version:1", nil},
		"older than all":       {engines("12"), deployment.Project{}, planner.Overrides{}, "18", "", nil},
		"there":                {engines("20"), deployment.Project{}, planner.Overrides{}, "20", "", nil},
		"no wish":              {file("README.md", ""), deployment.Project{}, planner.Overrides{}, "18", "", nil},
		"nixpacks is told":     {with(engines("23"), "nixpacks.toml", "[variables]\nNIXPACKS_NODE_VERSION = \"23\"\n"), deployment.Project{}, planner.Overrides{}, "18", "", nil},
		"repairs are off":      {engines("23"), off, planner.Overrides{}, "18", "", nil},
		"yarn would refuse":    {with(engines("23"), "yarn.lock", ""), deployment.Project{}, planner.Overrides{}, "24", "package.json:2", map[string]string{"YARN_IGNORE_ENGINES": "true"}},
		"npm would refuse":     {with(engines("23"), ".npmrc", "engine-strict=true\n"), deployment.Project{}, planner.Overrides{}, "24", "package.json:2", map[string]string{"NPM_CONFIG_ENGINE_STRICT": "false"}},
		"the base has another": {with(engines("18"), ".npmrc", "engine-strict=true\n"), deployment.Project{}, base, "", "package.json:2", map[string]string{"NPM_CONFIG_ENGINE_STRICT": "false"}},
		"the base has it":      {engines(">=20"), deployment.Project{}, base, "", "", nil},
		"a base of unknown":    {engines("18"), deployment.Project{}, planner.Overrides{BuildImage: "own/base", ClearPackages: true}, "", "", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: test.overrides, Now: today})
			plan, _, err := p.Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			require.NoError(t, err)
			require.Equal(t, test.node, plan.Versions["node"])
			for _, variable := range []string{"YARN_IGNORE_ENGINES", "NPM_CONFIG_ENGINE_STRICT"} {
				require.Equal(t, test.variables[variable], plan.Variables[variable])
			}
			if test.at == "" {
				require.NotContains(t, codes(plan), "repair.node_version")
				return
			}
			require.Equal(t, "repair.node_version "+test.at, place(plan.Warnings[0]))
			require.NotContains(t, codes(plan), "node.version_unavailable")
			require.NotContains(t, plan.Variables, "NIXPACKS_NODE_VERSION")
		})
	}
}

func TestRepair_DevDependency(t *testing.T) {
	t.Parallel()
	manifest := func(start, more string) string {
		return "{\n\"scripts\": {\"start\": \"" + start + "\"" + more + "},\n\"devDependencies\": {\n\"tsx\": \"4.0.0\", \"ts-node\": \"10.0.0\"}\n}"
	}
	const pruned = `, "build": "tsc && pnpm prune --prod"`
	tests := map[string]struct {
		files    map[string]string
		project  deployment.Project
		command  string // that brings the tool back
		variable string
	}{
		"pruned by the build":       {map[string]string{"package.json": manifest("tsx server.ts", pruned), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, deployment.Project{}, "pnpm install --prod=false --frozen-lockfile", ""},
		"a loader":                  {map[string]string{"package.json": manifest("NODE_ENV=x node -r ts-node/register server.ts", pruned), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, deployment.Project{}, "pnpm install --prod=false --frozen-lockfile", ""},
		"left out by the project":   {map[string]string{"package.json": manifest("npx tsx server.ts", ""), "yarn.lock": ""}, deployment.Project{InstallCommand: "yarn install --frozen-lockfile --production"}, "yarn install --production=false --frozen-lockfile", ""},
		"left out by a variable":    {map[string]string{"package.json": manifest("tsx server.ts", ""), "nixpacks.toml": "[variables]\nNPM_CONFIG_PRODUCTION = \"true\"\n"}, deployment.Project{}, "", "false"},
		"left out by bun":           {map[string]string{"package.json": manifest("tsx server.ts", ""), "bun.lock": ""}, deployment.Project{InstallCommand: "bun install --production"}, "bun install --frozen-lockfile", ""},
		"nothing needs it":          {map[string]string{"package.json": manifest("node server.js", pruned), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, deployment.Project{}, "", ""},
		"nothing is left out":       {map[string]string{"package.json": manifest("tsx server.ts", "")}, deployment.Project{}, "", ""},
		"npm leaves nothing out":    {map[string]string{"package.json": manifest("tsx server.ts", "")}, deployment.Project{InstallCommand: "npm ci --omit=dev"}, "", ""},
		"the project's own command": {map[string]string{"package.json": manifest("node x.js", pruned), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, deployment.Project{StartCommand: "tsx server.ts"}, "pnpm install --prod=false --frozen-lockfile", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			require.NoError(t, err)
			if test.command == "" && test.variable == "" {
				require.NotContains(t, codes(plan), "repair.dev_dependency")
				return
			}
			require.Regexp(t, `^repair\.dev_dependency package\.json:4$`, place(plan.Warnings[0]))
			if test.command != "" {
				require.Regexp(t, `(?s)# tools:install\nRUN [^#]*`+test.command+"\n", dockerfile)
			}
			if test.variable != "" {
				require.Equal(t, test.variable, plan.Variables["NPM_CONFIG_PRODUCTION"])
			}
			parse(t, dockerfile)
		})
	}
}
