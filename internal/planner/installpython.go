package planner

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

var (
	pipFlags    = regexp.MustCompile(`^(-U|-q|--(upgrade|quiet|no-cache-dir|prefer-binary|no-input|no-deps|require-hashes|disable-pip-version-check|pre))$`)
	requirement = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*[ \t]*(\[[A-Za-z0-9 ,._-]*\])?[ \t]*(\(?[<>=!~][^@]*)?(;.*)?$`)
	remoteURL   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*[ \t]*(\[[A-Za-z0-9 ,._-]*\])?[ \t]*@[ \t]*(git\+)?(https|ssh)://`)
	archiveName = regexp.MustCompile(`\.(whl|zip|tar|tgz|tbz|txz|tlz|tar\.[a-z0-9]+)$`)
	hashOptions = regexp.MustCompile(`[ \t]+--hash[= ][ \t]*\S+`)
	pipSettings = regexp.MustCompile(`^(-i|--index-url|--extra-index-url|--trusted-host|--pre|--prefer-binary|--require-hashes|--no-binary|--only-binary)\b`)
)

// pip takes the requirements files that its arguments name.
func (r *installReads) pip(args []string) bool {
	if len(args) < 2 || args[0] != "install" {
		return false
	}
	for i := 1; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-r" || arg == "--requirement" || arg == "-c" || arg == "--constraint":
			i++
			if i == len(args) {
				return false
			}
			r.requirements(path.Clean(args[i]))
		case pipFlags.MatchString(arg):
		case !isRequirement(arg):
			return false
		}
	}
	return true
}

func isRequirement(text string) bool {
	name, _, _ := strings.Cut(text, ";")
	return requirement.MatchString(text) && !archiveName.MatchString(strings.TrimSpace(name))
}

// requirements takes a requirements file and those that it names.
func (r *installReads) requirements(name string) {
	r.need(name)
	if r.reason != "" {
		return
	}
	text := strings.NewReplacer("\r\n", "\n", "\\\r\n", " ", "\\\n", " ").Replace(string(r.read(name)))
	for line := range strings.Lines(text) {
		if before, _, found := strings.Cut(" "+line, " #"); found {
			line = before
		}
		line = strings.TrimSpace(hashOptions.ReplaceAllString(line, ""))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if match := otherFile.FindStringSubmatch(line); match != nil {
			if other := path.Join(path.Dir(name), match[1]); !slices.Contains(r.files, other) {
				r.requirements(other)
			}
			continue
		}
		if !isRequirement(line) && !remoteURL.MatchString(line) && !pipSettings.MatchString(line) {
			r.everything("%s has the line %s", name, shorten(line))
		}
	}
}

var otherFile = regexp.MustCompile(`^(?:-r|-c|--requirement|--constraint)[ =]?[ \t]*([A-Za-z0-9._/+-]+)$`)

var pyprojectFlags = regexp.MustCompile(`^--(no-dev|no-root|no-interaction|no-ansi|frozen|locked|prod|no-self|no-install-project|only=main|check|frozen-lockfile|no-editable|no-cache|quiet)$`)

// pyproject takes what poetry, uv or pdm reads, where they install the dependencies alone and not the project itself.
func (r *installReads) pyproject(tool string, args []string) bool {
	if verb := map[string]string{"poetry": "install", "uv": "sync", "pdm": "install"}[tool]; len(args) == 0 || args[0] != verb || !only(args[1:], pyprojectFlags) {
		return false
	}
	if r.installedBefore(".venv", "__pypackages__") {
		return true
	}
	for _, name := range []string{"poetry.toml", "pdm.toml", ".pdm.toml", "uv.toml"} {
		if r.there(name) {
			r.everything("%s may lead it to other files", name)
		}
	}
	r.need("pyproject.toml")
	project, there := decoded(r, "pyproject.toml", toml.Unmarshal)
	if !there {
		return true
	}
	dependenciesOnly := map[string]string{"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}[tool]
	tools, _ := project["tool"].(map[string]any)
	settings, _ := tools[tool].(map[string]any)
	packaged := tool != "uv" || project["build-system"] != nil || settings["package"] == true
	if packaged && !slices.Contains(args, dependenciesOnly) {
		r.everything("%s installs the project itself", tool)
	}
	r.need(tool + ".lock")
	r.add(".python-version")
	if localPython(settings) || localPython(project["project"]) || localPython(project["dependency-groups"]) {
		r.everything("pyproject.toml depends on a folder or a file")
	}
	return true
}

// pipenv takes Pipenv's two files.
func (r *installReads) pipenv(args []string) bool {
	if len(args) == 0 || args[0] != "install" || !only(args[1:], regexp.MustCompile(`^--(deploy|skip-lock|ignore-pipfile|system)$`)) {
		return false
	}
	if r.installedBefore(".venv") {
		return true
	}
	r.need("Pipfile")
	pipfile, there := decoded(r, "Pipfile", toml.Unmarshal)
	if there && localPython(pipfile) {
		r.everything("the Pipfile depends on a folder or a file")
	}
	r.add("Pipfile.lock")
	return true
}

// localPython reports whether a dependency in a decoded document is a folder or a file of the repository: by a key that
// says so, or by the address.
func localPython(value any) bool {
	switch value := value.(type) {
	case string:
		return strings.Contains(value, "file:") || strings.Contains(value, "${PROJECT_ROOT")
	case []any:
		return slices.ContainsFunc(value, localPython)
	case map[string]any:
		for key, element := range value {
			switch key {
			case "path", "file", "editable", "workspace", "develop", "find-links", "find_links":
				return true
			}
			if localPython(element) {
				return true
			}
		}
	}
	return false
}
