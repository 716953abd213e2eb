package planner_test

import (
	"cmp"
	"flag"
	"maps"
	"path/filepath"
)

var allMonorepos = flag.Bool("monorepos", false, "really build every repository below testdata/monorepos, and every app of Bun's; the first time takes minutes")

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
			"bun":        {repaired: "repair.package_manager", rootDir: "apps/web", says: "hello bun 1.3.9, for 172800000 ms"},
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

// bunRepos are built with a Bun that npm installs, since the base image has none: 50 MB for each version.
func bunRepos() map[string]served {
	if !*allMonorepos {
		return nil
	}
	return map[string]served{
		"bun-production": {repaired: "repair.dev_dependency repair.package_manager", path: "/", says: "started by-a-development-tool"},
		"bun-script":     {repaired: "repair.node_start repair.package_manager", path: "/", says: "served by bun 1.3.9"},
		"bun-server":     {repaired: "repair.package_manager", nonRoot: true, path: "/", says: "bun, with the locked ms 2.1.2: 172800000", stops: "stopped when asked to"},
		"bun-vite":       {repaired: "repair.dev_server repair.package_manager", path: "/a/route", says: "built by Vite, installed by bun"},
	}
}
