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

// build returns the command that builds the packages of the workspace that the app needs, and then the app: with Turborepo or Moon
// where those are set up, else each by its own script, those that others need first.
func (w *nodeSpace) build(own nodeMember, command string) string {
	up := strings.Repeat("../", strings.Count(w.app, "/")+1)
	if w.root.exists("turbo.json") && w.depends("turbo") && own.Scripts["build"] != "" && own.Name != "" {
		return fmt.Sprintf("(cd %s && %s turbo run build --filter=%s)", up, w.exec(), own.Name)
	}
	if id := w.moonProject(); id != "" && command == "" {
		return fmt.Sprintf("(cd %s && %s moon run %s:build)", up, w.exec(), id)
	}
	var commands []string
	for _, dir := range w.needed(own, map[string]bool{w.app: true}) {
		if m, _ := readMember(w.root, dir); m.Scripts["build"] != "" && copiedName.MatchString(dir) && !strings.Contains(dir, " ") {
			commands = append(commands, fmt.Sprintf("(cd %s%s && %s run build)", up, dir, w.manager))
		}
	}
	if command != "" {
		commands = append(commands, command)
	}
	return strings.Join(commands, " && ")
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

// moonProject returns the app's name in a Moon workspace, empty unless its moon.yml has a task "build".
func (w *nodeSpace) moonProject() string {
	var tasks struct {
		Tasks map[string]any `yaml:"tasks"`
	}
	data, err := w.root.read(path.Join(w.app, "moon.yml"))
	if err != nil || yaml.Unmarshal(data, &tasks) != nil || tasks.Tasks["build"] == nil || !w.depends("@moonrepo/cli") {
		return ""
	}
	var space struct {
		Projects any `yaml:"projects"`
	}
	if data, err = w.root.read(".moon/workspace.yml"); err != nil || yaml.Unmarshal(data, &space) != nil {
		return ""
	}
	id := path.Base(w.app)
	if named, ok := space.Projects.(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if dir, _ := named[name].(string); path.Clean(dir) == w.app {
				id = name
			}
		}
	}
	if !projectName.MatchString(id) {
		return ""
	}
	return id
}
