package planner

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nodeSpace is a workspace of node packages.
type nodeSpace struct {
	root     *source
	app      string
	top      nodeMember
	manager  string
	named    bool              // the app's configuration of nixpacks says how it is built
	packages map[string]string // name → folder
}

// members finds the packages by name.
func (w *nodeSpace) members(patterns []string) {
	w.packages = map[string]string{}
	seen := 0
	_ = fs.WalkDir(w.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxWalked {
			return fs.SkipAll
		}
		if isHidden(entry.Name()) {
			return skip(entry)
		}
		if dir := path.Dir(name); entry.Name() == packageJSON && belongs(patterns, dir) {
			if m, ok := readMember(w.root, dir); ok && m.Name != "" {
				w.packages[m.Name] = dir
			}
		}
		return nil
	})
}

// build returns the command that builds the packages of the workspace that the app needs, and then the app: with Turborepo where
// that is set up and the app has no other build, else each by itself, those that others need first.
func (w *nodeSpace) build(own nodeMember, command string) string {
	if !w.named && w.root.exists("turbo.json") && w.depends("turbo") && own.Scripts["build"] != "" && own.Name != "" {
		return fmt.Sprintf("(cd %s && %s turbo run build --filter=%s)", w.up(), w.exec(), own.Name)
	}
	if task := w.task(w.app); task != "" && command == "" {
		return task
	}
	var commands []string
	for _, dir := range w.needed(own, map[string]bool{w.app: true}) {
		m, _ := readMember(w.root, dir)
		switch task := w.task(dir); {
		case !copiedName.MatchString(dir) || strings.Contains(dir, " "):
		case m.Scripts["build"] != "":
			commands = append(commands, fmt.Sprintf("(cd %s%s && %s run build)", w.up(), dir, w.manager))
		case task != "":
			commands = append(commands, task)
		}
	}
	if command != "" {
		commands = append(commands, command)
	}
	return strings.Join(commands, " && ")
}

// up is the way from the app to the workspace's root.
func (w *nodeSpace) up() string { return strings.Repeat("../", strings.Count(w.app, "/")+1) }

// task returns the command that builds a package by its task of Moon or its target of Nx, "" where it has none. Both build first
// what theirs depend on.
func (w *nodeSpace) task(dir string) string {
	if id := w.moonProject(dir); id != "" {
		return fmt.Sprintf("(cd %s && %s moon run %s:build)", w.up(), w.exec(), id)
	}
	if project, ok := readNx(w.root, dir); ok && project.has("build") && w.root.exists("nx.json") && w.depends("nx") {
		return fmt.Sprintf("(cd %s && %s)", w.up(), project.run(w.exec(), "build"))
	}
	return ""
}

// needed returns the folders of the packages that one needs, before those that need them.
func (w *nodeSpace) needed(m nodeMember, seen map[string]bool) []string {
	var order []string
	names := map[string]string{}
	for _, dependencies := range []map[string]string{m.Dependencies, m.DevDependencies, m.OptionalDependencies} {
		maps.Copy(names, dependencies)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		dir, inside := w.packages[name]
		if !inside || seen[dir] {
			continue
		}
		seen[dir] = true
		if other, ok := readMember(w.root, dir); ok {
			order = append(append(order, w.needed(other, seen)...), dir)
		}
	}
	return order
}

func (w *nodeSpace) depends(name string) bool {
	return w.top.Dependencies[name] != "" || w.top.DevDependencies[name] != ""
}

// exec runs a program that a package of the root brings.
func (w *nodeSpace) exec() string {
	switch w.manager {
	case "pnpm":
		return "pnpm exec"
	case "yarn":
		return "yarn"
	case "bun":
		return "bunx"
	}
	return "npx"
}

// moonProject returns the name of a folder's project in a Moon workspace, empty unless its moon.yml has a task "build".
func (w *nodeSpace) moonProject(folder string) string {
	var tasks struct {
		Tasks map[string]any `yaml:"tasks"`
	}
	data, err := w.root.read(path.Join(folder, "moon.yml"))
	if err != nil || yaml.Unmarshal(data, &tasks) != nil || tasks.Tasks["build"] == nil || !w.depends("@moonrepo/cli") {
		return ""
	}
	var space struct {
		Projects any `yaml:"projects"`
	}
	if data, err = w.root.read(".moon/workspace.yml"); err != nil || yaml.Unmarshal(data, &space) != nil {
		return ""
	}
	id := path.Base(folder)
	if named, ok := space.Projects.(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if dir, _ := named[name].(string); path.Clean(dir) == folder {
				id = name
			}
		}
	}
	if !projectName.MatchString(id) {
		return ""
	}
	return id
}
