package planner

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// npmKeys are settings of .npmrc that make an install read, or leave, files at other places than usual.
var npmKeys = regexp.MustCompile(`^(cafile|certfile|keyfile|pnpmfile|global-pnpmfile|node-options|script-shell|prefix|userconfig|` +
	`globalconfig|shared-workspace-lockfile|inject-workspace-packages|install-links|lockfile-dir|modules-dir|virtual-store-dir|` +
	`store-dir|cache|patches-dir|pnp|node-linker|offline)$`)

// nodeSettings gives up for settings that lead to other files of the repository.
func (r *installReads) nodeSettings() {
	r.npmrc()
	r.yarnrc()
	r.yarnrcYML()
	r.pnpmWorkspace()
	if settings, there := decoded(r, "bunfig.toml", toml.Unmarshal); there {
		r.refuseNamed("bunfig.toml", settings)
	}
}

// decoded reads a settings file that may be absent.
func decoded(r *installReads, name string, decode func([]byte, any) error) (settings map[string]any, there bool) {
	if !r.there(name) {
		return nil, false
	}
	if err := decode(r.read(name), &settings); err != nil {
		r.everything("%s cannot be read", name)
	}
	return settings, r.reason == ""
}

func (r *installReads) refuseNamed(document string, value any) {
	if name := r.namedFile(value); name != "" {
		r.everything("%s names %s", document, name)
	}
}

func (r *installReads) npmrc() {
	for _, line := range r.lines(".npmrc") {
		key, value, _ := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if npmKeys.MatchString(key) {
			r.everything(".npmrc sets %s", key)
		}
		r.refuseNamed(".npmrc", strings.Trim(strings.TrimSpace(value), `"'`))
	}
}

// yarnrc reads yarn 1's settings: a key and a value, either in quotes or not.
func (r *installReads) yarnrc() {
	for _, line := range r.lines(".yarnrc") {
		for word := range strings.FieldsSeq(line) {
			if word = strings.Trim(word, `"'`); !strings.HasPrefix(path.Clean(word), ".yarn/releases/") {
				r.refuseNamed(".yarnrc", word)
			}
		}
	}
}

// yarnrcYML reads the settings of yarn 2 and later. Its plugins are programs that run in every install; yarn's own ones
// read nothing that is not taken, but for those that are meant to run the project's code.
func (r *installReads) yarnrcYML() {
	settings, there := decoded(r, ".yarnrc.yml", yaml.Unmarshal)
	if !there {
		return
	}
	plugins, _ := settings["plugins"].([]any)
	for _, plugin := range plugins {
		fields, _ := plugin.(map[string]any)
		spec, _ := fields["spec"].(string)
		if !strings.HasPrefix(spec, "@yarnpkg/plugin-") || strings.HasSuffix(spec, "-exec") || strings.HasSuffix(spec, "-constraints") {
			r.everything(".yarnrc.yml names the plugin %s, which may read any file", shorten(spec))
		}
	}
	delete(settings, "plugins")
	if yarn, _ := settings["yarnPath"].(string); strings.HasPrefix(path.Clean(yarn), ".yarn/releases/") {
		delete(settings, "yarnPath")
	}
	r.refuseNamed(".yarnrc.yml", settings)
}

// pnpmWorkspace reads pnpm's settings. The packages that it names are among all manifests, which are taken.
func (r *installReads) pnpmWorkspace() {
	const name = "pnpm-workspace.yaml"
	settings, there := decoded(r, name, yaml.Unmarshal)
	if !there {
		return
	}
	patches := map[string]string{}
	named, _ := settings["patchedDependencies"].(map[string]any)
	for dependency, file := range named {
		patches[dependency], _ = file.(string)
	}
	r.patches(name, patches)
	r.nodeLocal(name, settings["overrides"])
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		text, _ := settings[key].(string)
		if strings.HasPrefix(text, ".") || key == "injectWorkspacePackages" || key == "sharedWorkspaceLockfile" {
			r.everything("%s sets %s", name, key)
		}
	}
	delete(settings, "packages")
	delete(settings, "patchedDependencies")
	r.refuseNamed(name, settings)
}

// lines returns the lines of a settings file that say something, none when it is not there.
func (r *installReads) lines(name string) (lines []string) {
	if !r.there(name) {
		return nil
	}
	for line := range strings.Lines(string(r.read(name))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			lines = append(lines, line)
		}
	}
	return lines
}
