package planner_test

import (
	"cmp"
	"flag"
	"maps"
	"path/filepath"
)

var allMonorepos = flag.Bool("monorepos", false, "really build every repository below testdata/monorepos; the first time takes minutes")

// monorepos are built, run and asked as servedRepos are: a web app that needs a package beside its own folder, in each kind of workspace.
// Without -monorepos only the quickest of them.
func monorepos() map[string]served {
	repos := map[string]served{
		"pnpm": {repaired: "repair.package_manager", rootDir: "apps/web", says: "hello pnpm, for 172800000 ms"},
		"uv":   {rootDir: "services/api", says: "hello uv, from the package beside it"},
		"yarn": {rootDir: "apps/web", says: "hello yarn, from the package beside it"},
	}
	if *allMonorepos {
		maps.Copy(repos, map[string]served{
			"moon":       {rootDir: "apps/web", says: "hello moon, from the package beside it"},
			"nx":         {rootDir: "services/shop", says: "hello nx, from the library"},
			"nx-site":    {repaired: "repair.static_output", dir: "nx", rootDir: "apps/site", path: "/a/route", says: "a front end of Nx"},
			"pip":        {repaired: "repair.python_start", rootDir: "services/api", says: "hello pip, from the package beside it"},
			"turbo":      {nonRoot: true, rootDir: "apps/web", says: "hello turbo, for 172800000 ms"},
			"yarn-berry": {repaired: "repair.package_manager", rootDir: "apps/web", says: "hello yarn-berry, for 172800000 ms"},
			"yarn-pnp":   {repaired: "repair.package_manager", nonRoot: true, rootDir: "apps/web", says: "hello yarn-pnp, for 172800000 ms"},
		})
	}
	built := map[string]served{}
	for name, want := range repos {
		want.dir, want.path = filepath.Join("testdata", "monorepos", cmp.Or(want.dir, name)), cmp.Or(want.path, "/")
		built["monorepo-"+name] = want
	}
	return built
}
