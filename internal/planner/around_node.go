package planner

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// nodeMember is what of a package.json matters to the workspace that it is in.
type nodeMember struct {
	Name                 string            `json:"name"`
	Scripts              map[string]string `json:"scripts"`
	Workspaces           json.RawMessage   `json:"workspaces"`
	PackageManager       json.RawMessage   `json:"packageManager"`
	Engines              json.RawMessage   `json:"engines"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
}

func readMember(src *source, dir string) (m nodeMember, ok bool) {
	data, err := src.read(path.Join(dir, packageJSON))
	return m, err == nil && json.Unmarshal(data, &m) == nil
}

// nodeWorkspace finds a package of an npm, pnpm, yarn or bun workspace. All of them install from the workspace's root.
func nodeWorkspace(root, src *source, app string) *around {
	own, ok := readMember(src, ".")
	if !ok {
		return nil
	}
	top, _ := readMember(root, ".")
	file, patterns := packageJSON, workspacePatterns(top.Workspaces)
	if root.exists(pnpmWorkspace) {
		file, patterns = pnpmWorkspace, pnpmPatterns(root)
	}
	if !belongs(patterns, app) {
		return nil
	}
	w := &nodeSpace{root: root, app: app, top: top, manager: nodeManager(root, top), named: src.namesBuild()}
	w.members(patterns)
	return &around{
		reason: fmt.Sprintf("%s is in the workspace of %s", app, path.Join(root.rel, file)),
		runs:   deployment.ContextRunsInstall,
		show:   shownOf(src),
		hide:   []string{"turbo.json"}, // its tasks would start the app through Turborepo, which passes on no PORT
		begin:  beginning(own, top),
		build:  func(command string) string { return w.build(own, command) },
	}
}

const pnpmWorkspace = "pnpm-workspace.yaml"

// workspacePatterns reads the two forms of package.json: a list, and an object with a list of packages.
func workspacePatterns(raw json.RawMessage) (patterns []string) {
	if json.Unmarshal(raw, &patterns) == nil {
		return patterns
	}
	var form struct {
		Packages []string `json:"packages"`
	}
	_ = json.Unmarshal(raw, &form) // what is neither names nothing
	return form.Packages
}

func pnpmPatterns(root *source) []string {
	var form struct {
		Packages []string `yaml:"packages"`
	}
	data, err := root.read(pnpmWorkspace)
	if err != nil || yaml.Unmarshal(data, &form) != nil {
		return nil
	}
	return form.Packages
}

// shownOf lists what an app in a workspace has at the root: the lock file, unless it has one of its own, and settings.
func shownOf(src *source) []string {
	shown := []string{".npmrc", ".yarnrc", ".yarnrc.yml", ".nvmrc", ".node-version"}
	for _, lock := range lockfiles {
		if src.exists(lock.file) {
			return shown
		}
	}
	for _, lock := range lockfiles {
		shown = append(shown, lock.file)
	}
	return shown
}

// beginning says in the app's package.json which package manager and which Node the workspace asks for.
func beginning(own, top nodeMember) string {
	begin := ""
	if own.PackageManager == nil && top.PackageManager != nil {
		begin += `"packageManager": ` + string(top.PackageManager) + ", "
	}
	if own.Engines == nil && top.Engines != nil {
		begin += `"engines": ` + string(top.Engines) + ", "
	}
	return begin
}

func nodeManager(root *source, top nodeMember) string {
	var named string
	if json.Unmarshal(top.PackageManager, &named) == nil && named != "" {
		name, _, _ := strings.Cut(named, "@")
		return name
	}
	for _, lock := range lockfiles {
		if root.exists(lock.file) {
			return lock.manager
		}
	}
	return "npm"
}
