package planner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/slipway-dev/slipway/internal/deployment"
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
// without a word.
func configWarnings(src *source) []deployment.Warning {
	file, config := readConfig(src)
	known := knownKeys()
	unknown := unknownKeys("", config, known.plan)
	phases, _ := config["phases"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(phases)) {
		phase, _ := phases[name].(map[string]any)
		unknown = append(unknown, unknownKeys("phases."+name+".", phase, known.phase)...)
	}
	start, _ := config["start"].(map[string]any)
	unknown = append(unknown, unknownKeys("start.", start, known.start)...)

	var warnings []deployment.Warning
	for _, key := range unknown {
		warnings = append(warnings, deployment.Warning{
			Code: "config.unknown_key", Severity: "warning", File: file,
			Message: fmt.Sprintf("nixpacks does not know the key %q and ignores it", key),
			Fix:     "correct its name or remove it",
		})
	}
	return warnings
}

// readConfig returns the configuration file that nixpacks takes and its content; faults in it are nixpacks' to report.
func readConfig(src *source) (file string, config map[string]any) {
	if data, err := src.read("nixpacks.toml"); err == nil {
		_ = toml.Unmarshal(data, &config)
		return "nixpacks.toml", config
	}
	if data, err := src.read("nixpacks.json"); err == nil {
		_ = json.Unmarshal(data, &config)
	}
	return "nixpacks.json", config
}

func unknownKeys(prefix string, table map[string]any, known []string) []string {
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(known, key) {
			unknown = append(unknown, prefix+key)
		}
	}
	return unknown
}
