package planner

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// configKeys are the keys that nixpacks reads, with the second name that some have.
type configKeys struct{ plan, phase, start []string }

func knownKeys() configKeys {
	return configKeys{
		plan: []string{"providers", "buildImage", "variables", "staticAssets", "phases", "start"},
		phase: []string{
			"name", "dependsOn", "nixPkgs", "nixPackages", "nixLibs", "nixLibraries", "nixOverlays", "nixpkgsArchive", "aptPkgs",
			"aptPackages", "cmds", "commands", "onlyIncludeFiles", "cacheDirectories", "paths", "envPaths",
		},
		start: []string{"cmd", "runImage", "onlyIncludeFiles", "user"},
	}
}

// configWarnings names keys of the repository's nixpacks configuration that nixpacks does not know: it ignores them
// without a word. It names values there that look like secrets too: they become part of the image.
func (l *look) configWarnings() {
	file, config := readConfig(l.src)
	known := knownKeys()
	unknown := unknownKeys(nil, config, known.plan)
	phases, _ := config["phases"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(phases)) {
		phase, _ := phases[name].(map[string]any)
		unknown = append(unknown, unknownKeys([]string{"phases", name}, phase, known.phase)...)
	}
	start, _ := config["start"].(map[string]any)
	unknown = append(unknown, unknownKeys([]string{"start"}, start, known.start)...)
	for _, key := range unknown {
		_, line := l.configLine(key...)
		l.warn("config.unknown_key", file, line, "nixpacks does not know the key %q and ignores it", strings.Join(key, "."))
	}
	variables, _ := config["variables"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if looksSecret(name) && variables[name] != "" {
			_, line := l.configLine("variables", name)
			l.warn("secret.baked", file, line, "the variable %s stays in the image and its history", name).
				Fix = "remove it there and set it as a variable of the project"
		}
	}
}

// configLine returns the configuration file that nixpacks takes and the line of a key in it, 0 when it is not found.
func (l *look) configLine(key ...string) (file string, line int) {
	file, _ = readConfig(l.src)
	if file != "nixpacks.toml" {
		return file, l.keyLine(file, key...)
	}
	table, last := strings.Join(key[:len(key)-1], "."), regexp.QuoteMeta(key[len(key)-1])
	own := regexp.MustCompile(`^\s*(?:"?` + last + `"?\s*[=.]|\[\[?\s*` + regexp.QuoteMeta(strings.Join(key, ".")) + `\s*[\].])`)
	current := ""
	for text := range strings.Lines(string(l.read(file))) {
		line++
		if own.MatchString(text) && (current == table || strings.HasPrefix(strings.TrimSpace(text), "[")) {
			return file, line
		}
		if header := tomlTable.FindStringSubmatch(text); header != nil {
			current = header[1]
		}
	}
	return file, 0
}

var tomlTable = regexp.MustCompile(`^\s*\[\s*([^\[\]]+?)\s*\]`)

// configFiles are where nixpacks looks for its configuration; it takes the first that there is.
var configFiles = []string{"nixpacks.toml", "nixpacks.json"}

// readConfig returns the configuration file that nixpacks takes and its content; faults in it are nixpacks' to report.
func readConfig(src *source) (file string, config map[string]any) {
	src = src.planned(configFiles...)
	if data, err := src.read("nixpacks.toml"); err == nil {
		_ = toml.Unmarshal(data, &config)
		return "nixpacks.toml", config
	}
	if data, err := src.read("nixpacks.json"); err == nil {
		_ = json.Unmarshal(data, &config)
	}
	return "nixpacks.json", config
}

// namesStart reports whether the repository says to nixpacks what to start: in a Procfile or in nixpacks' own configuration.
func (s *source) namesStart() bool {
	_, config := readConfig(s)
	start, _ := config["start"].(map[string]any)
	return start["cmd"] != nil || s.planned(procfile).exists(procfile)
}

// namesBuild reports whether the repository's configuration of nixpacks says how to build.
func (s *source) namesBuild() bool {
	_, config := readConfig(s)
	phases, _ := config["phases"].(map[string]any)
	build, _ := phases["build"].(map[string]any)
	return build["cmds"] != nil || build["commands"] != nil
}

func unknownKeys(prefix []string, table map[string]any, known []string) (unknown [][]string) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(known, key) {
			unknown = append(unknown, append(slices.Clone(prefix), key))
		}
	}
	return unknown
}
