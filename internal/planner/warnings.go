package planner

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// nixpacksWarnings returns what is certain about a nixpacks plan and would surprise its owner.
func nixpacksWarnings(src *source, n *nativePlan) []deployment.Warning {
	return slices.Concat(configWarnings(src), nodeWarnings(src, n), goWarnings(src, n), lockfileWarnings(src, n), releaseWarnings(n))
}

// nodeWarnings tells that nobody chose the version of Node. Where the packages are cleared, the base image chose it.
func nodeWarnings(src *source, n *nativePlan) []deployment.Warning {
	if !slices.Contains(n.providers(), "node") || !n.hasNix() || choosesNode(src, n) {
		return nil
	}
	return []deployment.Warning{{
		Code: "node.version_defaulted", Severity: "warning", File: "package.json",
		Message: fmt.Sprintf("no version of Node is asked for, so nixpacks takes its default (%s)", nixPackage(n, "nodejs")),
		Fix:     `set engines.node in package.json, e.g. "22", or add an .nvmrc`,
	}}
}

func choosesNode(src *source, n *nativePlan) bool {
	if n.Variables["NIXPACKS_NODE_VERSION"] != "" || src.exists(".nvmrc") || src.exists(".node-version") {
		return true
	}
	var manifest struct {
		Engines json.RawMessage `json:"engines"`
	}
	data, err := src.read("package.json")
	if err != nil || json.Unmarshal(data, &manifest) != nil {
		return true // what cannot be read is not certain
	}
	var engines map[string]string
	return json.Unmarshal(manifest.Engines, &engines) == nil && engines["node"] != ""
}

var goDirective = regexp.MustCompile(`(?m)^go[ \t]+1\.([0-9]+)`)

// goWarnings tells that nixpacks has no such Go as go.mod asks for and falls back to the one that it calls "go".
func goWarnings(src *source, n *nativePlan) []deployment.Warning {
	const fallback = "22"
	data, err := src.read("go.mod")
	match := goDirective.FindSubmatch(data)
	if err != nil || match == nil || string(match[1]) == fallback || !slices.Contains(n.Phases["setup"].NixPkgs, "go") {
		return nil
	}
	return []deployment.Warning{{
		Code: "go.version_fallback", Severity: "warning", File: "go.mod",
		Message: fmt.Sprintf("go.mod asks for Go 1.%s, nixpacks installs Go 1.%s", match[1], fallback),
		Fix:     "ask for a version that nixpacks knows (1.18 to 1.23), or add a Dockerfile",
	}}
}

func nixPackage(n *nativePlan, prefix string) string {
	for _, name := range slices.Sorted(maps.Keys(n.Phases)) {
		for _, pkg := range n.Phases[name].NixPkgs {
			if strings.HasPrefix(pkg, prefix) {
				return pkg
			}
		}
	}
	return ""
}

// lockfileWarnings tells that the lock files of several package managers contradict each other.
func lockfileWarnings(src *source, n *nativePlan) []deployment.Warning {
	if !slices.Contains(n.providers(), "node") {
		return nil
	}
	var found []string
	for _, name := range []string{"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lockb", "bun.lock"} {
		if src.exists(name) {
			found = append(found, name)
		}
	}
	if len(found) < 2 {
		return nil
	}
	return []deployment.Warning{{
		Code: "pm.multiple_lockfiles", Severity: "warning", File: found[0],
		Message: fmt.Sprintf("%s belong to different package managers; the install command is %q", strings.Join(found, " and "), n.command("install")),
		Fix:     "keep the lock file of the one that you use",
	}}
}

func releaseWarnings(n *nativePlan) []deployment.Warning {
	if len(n.Phases["release"].Cmds) == 0 {
		return nil
	}
	return []deployment.Warning{{
		Code: "release.at_build", Severity: "warning", File: "Procfile",
		Message: fmt.Sprintf("the release command %q runs while the image is built, not before each start", n.command("release")),
		Fix:     "move it to the start command if it needs the app's variables or its database",
	}}
}

// envFileWarnings names .env files, which never enter a build: an app that expects one there would miss it silently.
func envFileWarnings(src *source) []deployment.Warning {
	names, err := fs.Glob(src.FS(), ".env*")
	if err != nil {
		return nil
	}
	var warnings []deployment.Warning
	for _, name := range names {
		if strings.HasSuffix(name, ".example") || strings.HasSuffix(name, ".sample") || !src.exists(name) {
			continue
		}
		warnings = append(warnings, deployment.Warning{
			Code: "context.env_file_ignored", Severity: "warning", File: name,
			Message: name + " is kept out of builds and images",
			Fix:     "set what it holds as variables of the project",
		})
	}
	return warnings
}
