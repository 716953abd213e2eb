package planner

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	requiresPython = regexp.MustCompile(`(?m)^requires-python\s*=\s*["']([^"']+)["']`)
	pythonBound    = regexp.MustCompile(`^\s*(>=|<=|>|<|==|~=|!=)\s*3\.(\d+)(\.[\d*]+)*\s*$`)
	serverCommand  = regexp.MustCompile(`(?:^|&& |exec |\s)(gunicorn|uvicorn|hypercorn|daphne|waitress-serve)\s`)
)

func (l *look) pythonWarnings() {
	if !l.provides("python") {
		return
	}
	if wish, line := l.match("pyproject.toml", requiresPython); wish != nil && excludes(wish[1], l.plan.Versions["python"]) {
		l.warn("python.requires_python_ignored", "pyproject.toml", line, "requires-python is %q, nixpacks installs Python %s", wish[1], l.plan.Versions["python"])
	}
	for _, file := range []string{"runtime.txt", "Pipfile", ".tool-versions"} {
		if asked := l.native.Variables["NIXPACKS_PYTHON_VERSION"]; asked != "" && l.src.exists(file) {
			config, line := l.configLine("variables", "NIXPACKS_PYTHON_VERSION")
			l.warn("python.env_ignored", config, line, "NIXPACKS_PYTHON_VERSION %q does nothing beside %s", asked, file)
			break
		}
	}
	l.wsgiWarnings()
}

// excludes reports whether a constraint lets no patch release of a minor version pass; false where it cannot tell.
func excludes(constraint, version string) bool {
	minor, err := strconv.Atoi(strings.TrimPrefix(version, "3."))
	if err != nil || !strings.HasPrefix(version, "3.") {
		return false
	}
	for part := range strings.SplitSeq(constraint, ",") {
		bound := pythonBound.FindStringSubmatch(part)
		if bound == nil {
			return false
		}
		n, _ := strconv.Atoi(bound[2])
		switch bound[1] {
		case ">=", "~=":
			if minor < n || bound[1] == "~=" && bound[3] != "" && minor > n {
				return true
			}
		case ">":
			if minor < n {
				return true
			}
		case "<":
			if minor > n || minor == n && strings.Trim(bound[3], ".0") == "" {
				return true
			}
		case "<=":
			if minor > n {
				return true
			}
		case "==":
			if minor != n {
				return true
			}
		}
	}
	return false
}

// wsgiWarnings tells of a server that the start command runs and that no manifest and no command installs.
func (l *look) wsgiWarnings() {
	call := serverCommand.FindStringSubmatch(l.plan.StartCommand + " ")
	if call == nil {
		return
	}
	distribution := strings.TrimSuffix(call[1], "-serve")
	var manifests []string
	for _, file := range pythonRequirements {
		if l.src.exists(file) {
			manifests = append(manifests, file)
		}
	}
	if l.brings(distribution) || strings.Contains(l.native.commands(), distribution) || len(manifests) == 0 || l.project.InstallCommand != "" {
		return
	}
	l.warn("python.no_wsgi_server", manifests[0], 0, "the start command runs %s, which %s does not bring", call[1], strings.Join(manifests, " and ")).
		Fix = "add " + distribution + " to " + manifests[0]
}

var (
	goDirective = regexp.MustCompile(`(?m)^go[ \t]+(1\.[0-9]+)(\.[0-9]+)?`)
	goCommand   = regexp.MustCompile(`go build -o \S+ \./cmd/([A-Za-z0-9._-]+)$`)
)

func (l *look) goWarnings() {
	wish, line := l.match("go.mod", goDirective)
	if given := l.plan.Versions["go"]; l.provides("go") && wish != nil && given != "" && given != wish[1] {
		l.warn("go.version_fallback", "go.mod", line, "go.mod asks for Go %s, nixpacks installs Go %s", wish[1]+wish[2], given)
	}
	built := goCommand.FindStringSubmatch(l.plan.BuildCommand)
	if built == nil || l.repaired("repair.go_main") || l.project.BuildCommand != "" || l.native.Variables["NIXPACKS_GO_BIN"] != "" {
		return
	}
	mains, err := fs.Glob(l.src.FS(), "cmd/*/main.go")
	if err == nil && len(mains) > 1 && slices.Contains(mains, "cmd/"+built[1]+"/main.go") {
		l.warn("go.multiple_cmd", "cmd/"+built[1]+"/main.go", 0, "of %d commands %q is built, because its name comes first", len(mains), built[1])
	}
}

var javaWishes = []struct {
	file    string
	pattern *regexp.Regexp
}{
	{"pom.xml", regexp.MustCompile(`<(?:java\.version|maven\.compiler\.release|maven\.compiler\.source|release)>(?:1\.)?(\d+)<`)},
	{"build.gradle", regexp.MustCompile(`JavaLanguageVersion\.of\((\d+)\)`)},
	{"build.gradle.kts", regexp.MustCompile(`JavaLanguageVersion\.of\((\d+)\)`)},
	{"build.gradle", regexp.MustCompile(`sourceCompatibility\s*=?\s*(?:JavaVersion\.VERSION_|["'])?(?:1[._])?(\d+)`)},
}

// javaWarnings tells of sources that are newer than the compiler; older ones it compiles.
func (l *look) javaWarnings() {
	given, err := strconv.Atoi(l.plan.Versions["java"])
	if err != nil || !l.provides("java") {
		return
	}
	for _, wish := range javaWishes {
		groups, line := l.match(wish.file, wish.pattern)
		if groups == nil {
			continue
		}
		if asked, err := strconv.Atoi(groups[1]); err == nil && asked > given {
			l.warn("java.version_ignored", wish.file, line, "Java %d is asked for, nixpacks installs JDK %d", asked, given).
				Fix = `set NIXPACKS_JDK_VERSION = "` + groups[1] + `" below [variables] in nixpacks.toml`
		}
		return
	}
}

var phpMentioned = regexp.MustCompile(`\d+\.\d+`)

// phpWarnings tells of a constraint that has more in it than the version that nixpacks finds by looking for texts.
func (l *look) phpWarnings() {
	given := l.plan.Versions["php"]
	var composer struct {
		Require map[string]string `json:"require"`
	}
	if given == "" || json.Unmarshal(l.read("composer.json"), &composer) != nil {
		return
	}
	wish := composer.Require["php"]
	mentioned := phpMentioned.FindAllString(wish, -1)
	slices.Sort(mentioned)
	several := len(slices.Compact(mentioned)) > 1
	if len(mentioned) > 0 && (!slices.Contains(mentioned, given) || several) {
		l.warn("php.version_substring", "composer.json", l.keyLine("composer.json", "require", "php"),
			"PHP %q is asked for, nixpacks installs PHP %s", wish, given)
	}
}
