package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func TestRepair_PackageManager(t *testing.T) {
	t.Parallel()
	const byCorepack = "npm install -g corepack@0.24.1 && corepack enable && "
	cleared := planner.Overrides{BuildImage: "own/base", ClearPackages: true, NodeVersion: "22"}
	for name, test := range map[string]struct {
		manager   string
		overrides planner.Overrides
		off       bool
		install   string
		repaired  bool
	}{
		"pnpm 10":                        {manager: "pnpm@10.34.9", install: byCorepack + "pnpm i --frozen-lockfile"},
		"pnpm 11":                        {manager: "pnpm@11.0.0-rc.1", install: "npm install -g --prefix=/opt/package-manager pnpm@11.0.0-rc.1 && pnpm i --frozen-lockfile", repaired: true},
		"pnpm 12, with a hash":           {manager: "pnpm@12.1.0+sha512.0a1b", install: "npm install -g --prefix=/opt/package-manager pnpm@12.1.0 && pnpm i --frozen-lockfile", repaired: true},
		"pnpm 11, left alone":            {manager: "pnpm@11.0.0", off: true, install: byCorepack + "pnpm i --frozen-lockfile"},
		"no exact version":               {manager: "pnpm@11", install: byCorepack + "pnpm i --frozen-lockfile"},
		"Yarn 4":                         {manager: "yarn@4.18.1", install: byCorepack + "yarn install --frozen-lockfile"},
		"Yarn 4, registries alone":       {manager: "yarn@4.18.1", overrides: cleared, install: "npm install -g --prefix=/opt/package-manager @yarnpkg/cli-dist@4.18.1 && yarn install --frozen-lockfile", repaired: true},
		"Yarn 1, registries alone":       {manager: "yarn@1.22.22", overrides: cleared, install: byCorepack + "yarn install --frozen-lockfile"},
		"npm, which corepack brings not": {manager: "npm@11.0.0", install: "npm i"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"package.json": `{"packageManager": "` + test.manager + `", "engines": {"node": "22"}, "scripts": {"start": "node ."}}`, "index.js": ""}
			project := deployment.Project{}
			if test.off {
				project.Build.Repairs = deployment.RepairsOff
			}
			p := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: test.overrides})
			plan, dockerfile, err := p.Plan(t.Context(), writeRepo(t, files), project, nil)
			require.NoError(t, err)
			require.Equal(t, test.install, plan.InstallCommand)
			if test.repaired {
				require.Equal(t, "repair.package_manager package.json:1", place(plan.Warnings[0]))
				require.Contains(t, dockerfile, `PATH="/opt/package-manager/bin:/app/node_modules/.bin:$PATH"`)
				require.Contains(t, plan.InstallFiles, "package.json", "the install is still known word for word")
				return
			}
			require.NotContains(t, codes(plan), "repair.package_manager")
			require.NotContains(t, dockerfile, "/opt/package-manager")
		})
	}
}

// Whom the app runs as finds what a package manager has put aside, which lies in root's home otherwise.
func TestRender_WithoutRightsPackageManagersAreShared(t *testing.T) {
	t.Parallel()
	for manager, want := range map[string][]string{
		"pnpm@10.34.9": {`ENV COREPACK_HOME="/usr/local/share/corepack"`},
		"yarn@4.18.1":  {`ENV COREPACK_HOME="/usr/local/share/corepack"`, `ENV YARN_GLOBAL_FOLDER="/usr/local/share/yarn"`},
		"npm@11.0.0":   {},
	} {
		files := map[string]string{"package.json": `{"packageManager": "` + manager + `", "engines": {"node": "22"}, "scripts": {"start": "node ."}}`, "index.js": ""}
		for _, nonRoot := range []bool{false, true} {
			_, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{Build: deployment.BuildSettings{NonRoot: nonRoot}}, nil)
			require.NoError(t, err)
			for _, line := range []string{`ENV COREPACK_HOME="/usr/local/share/corepack"`, `ENV YARN_GLOBAL_FOLDER="/usr/local/share/yarn"`} {
				require.Equal(t, nonRoot && slices.Contains(want, line), strings.Contains(dockerfile, line), "%s of %s", line, manager)
			}
		}
	}
}
