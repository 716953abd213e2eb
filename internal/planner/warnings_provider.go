package planner

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// evident is a manifest that makes somebody think that a repository is an app of a language.
type evident struct{ file, provider, language string }

// evidence is in the order in which nixpacks looks.
var evidence = []evident{
	{"go.mod", "go", "Go"},
	{"pom.xml", "java", "Java"},
	{"composer.json", "php", "PHP"},
	{"Gemfile", "ruby", "Ruby"},
	{packageJSON, "node", "Node"},
	{"requirements.txt", "python", "Python"},
	{"pyproject.toml", "python", "Python"},
	{"Pipfile", "python", "Python"},
	{"Cargo.toml", "rust", "Rust"},
	{"Package.swift", "swift", "Swift"},
}

// companions are manifests that belong to an app of the provider and are built with it, or only bring its tools.
var companions = map[string][]string{
	"php": {packageJSON}, "ruby": {packageJSON}, "elixir": {packageJSON}, "deno": {packageJSON}, "lunatic": {"Cargo.toml"},
}

// providerWarnings tells of languages that lost, and of one that won by a file that is not at the root.
func (l *look) providerWarnings() {
	if len(l.plan.Providers) == 0 || l.pinned() {
		return
	}
	won := l.plan.Providers[0]
	seen := []string{}
	for _, e := range evidence {
		if l.provides(e.provider) || slices.Contains(companions[won], e.file) || slices.Contains(seen, e.provider) || !l.isApp(e.file) {
			continue
		}
		seen = append(seen, e.provider)
		l.warn("provider.shadowed", e.file, 0, "the app is built as %s; %s, which %s stands for, is not looked at", won, e.language, e.file)
	}
	l.nestedWarnings(won)
}

// pinned reports whether the repository says itself which providers it wants.
func (l *look) pinned() bool {
	_, config := readConfig(l.src)
	return config["providers"] != nil
}

// isApp reports whether a manifest describes an app: many bring tools alone.
func (l *look) isApp(file string) bool {
	switch file {
	case packageJSON:
		return l.manifest.Scripts["start"] != "" || l.manifest.Scripts["build"] != ""
	case "pyproject.toml":
		var project struct {
			Project map[string]any `toml:"project"`
			Tool    struct {
				Poetry map[string]any `toml:"poetry"`
			} `toml:"tool"`
		}
		return toml.Unmarshal(l.read(file), &project) == nil && len(project.Project)+len(project.Tool.Poetry) > 0
	}
	return l.src.exists(file)
}

// anyDepth are the files that make nixpacks choose a language wherever they lie.
var anyDepth = map[string]string{"c#": ".csproj", "f#": ".fsproj", "zig": ".zig", "cobol": ".cbl"}

var denoImport = regexp.MustCompile("import .+ from ([\"'`])https://deno\\.land/")

func (l *look) nestedWarnings(won string) {
	if suffix, ok := anyDepth[won]; ok {
		if nested, atRoot := l.first(suffix); nested != "" && !atRoot {
			l.warn("provider.nested_evidence", nested, 0, "the app is built as %s only because of %s", won, nested)
		}
	}
	if won != "deno" || l.src.exists("deno.json") || l.src.exists("deno.jsonc") {
		return
	}
	for _, suffix := range []string{".ts", ".tsx", ".js", ".jsx"} {
		nested, atRoot := l.first(suffix)
		if _, line := l.match(nested, denoImport); line > 0 && !atRoot {
			l.warn("provider.nested_evidence", nested, line, "the app is built as deno only because of an import in %s", nested)
			return
		}
	}
}

// subfolderWarnings tells of an app in a sub-folder of what is served as files, unless the project wants that.
func (l *look) subfolderWarnings() {
	if l.project.Builder == "static" || l.project.Build.Static.Folder != "" {
		return
	}
	for _, folder := range l.src.subfolders() {
		for _, e := range evidence {
			name := folder + "/" + e.file
			var m manifest
			if !l.src.exists(name) || strings.HasPrefix(folder, "public") || strings.HasPrefix(folder, "dist") {
				continue
			}
			if _ = json.Unmarshal(l.read(name), &m); e.file == packageJSON && m.Scripts["start"] == "" {
				continue
			}
			l.warn("provider.subdir", name, 0, "files are served as they are; the %s app in %q is not built", e.language, folder).
				Fix = "set the project's root_dir to \"" + strings.TrimPrefix(l.src.rel+"/"+folder, "./") + "\", or its builder to static"
			return
		}
	}
}
