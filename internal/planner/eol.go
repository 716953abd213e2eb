package planner

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// endOfLife says when the last security fix of a version came, as the projects themselves announce it: nodejs/Release on GitHub,
// devguide.python.org/versions, go.dev/doc/devel/release, php.net/supported-versions, ruby-lang.org/en/downloads/branches,
// Oracle's roadmap for the Java releases without long support, and dotnet.microsoft.com's support policy.
var endOfLife = map[string]map[string]string{
	"node": {
		"12": "2022-04-30", "14": "2023-04-30", "16": "2023-09-11", "17": "2022-06-01", "18": "2025-04-30", "19": "2023-06-01",
		"20": "2026-04-30", "21": "2024-06-01", "22": "2027-04-30", "23": "2025-06-01", "24": "2028-04-30",
	},
	"python": {
		"2.7": "2020-01-01", "3.6": "2021-12-23", "3.7": "2023-06-27", "3.8": "2024-10-07", "3.9": "2025-10-31", "3.10": "2026-10-31",
		"3.11": "2027-10-31", "3.12": "2028-10-31", "3.13": "2029-10-31",
	},
	"go": {
		"1.18": "2023-02-01", "1.19": "2023-08-08", "1.20": "2024-02-06", "1.21": "2024-08-13", "1.22": "2025-02-11", "1.23": "2025-08-12",
	},
	"php": {
		"7.4": "2022-11-28", "8.0": "2023-11-26", "8.1": "2025-12-31", "8.2": "2026-12-31", "8.3": "2027-12-31", "8.4": "2028-12-31",
	},
	"ruby": {
		"2.7": "2023-03-31", "3.0": "2024-04-23", "3.1": "2025-03-26", "3.2": "2026-03-31", "3.3": "2027-03-31", "3.4": "2028-03-31",
	},
	"java":   {"18": "2022-09-20", "19": "2023-03-21", "20": "2023-09-19", "22": "2024-09-17", "23": "2025-03-18"},
	"dotnet": {"5": "2022-05-10", "6": "2024-11-12", "7": "2024-05-14", "8": "2026-11-10", "9": "2026-11-10", "10": "2028-11-14"},
}

// ended returns the day on which a version's support ended, empty while it goes on or when it is not known.
func ended(language, version string, now time.Time) string {
	day := endOfLife[language][version]
	if end, err := time.Parse(time.DateOnly, day); err != nil || !now.After(end.AddDate(0, 0, 1)) {
		return ""
	}
	return day
}

// eolWarnings names versions of languages that are maintained no more. The stages of a Dockerfile are each looked at.
func (l *look) eolWarnings() {
	if l.dockerfile != nil {
		for _, from := range l.dockerfile.from {
			if day := ended(from.language, from.version, l.now); day != "" {
				l.warn("version.eol", l.plan.DockerfilePath, from.line, "%s %s gets no security fixes since %s", from.language, from.version, day)
			}
		}
		return
	}
	for _, language := range slices.Sorted(maps.Keys(l.plan.Versions)) {
		if day := ended(language, l.plan.Versions[language], l.now); day != "" {
			file, line := l.versionEvidence(language)
			l.warn("version.eol", file, line, "%s %s gets no security fixes since %s", language, l.plan.Versions[language], day)
		}
	}
}

// versionFiles are where a repository says which version it wants, in the order in which nixpacks looks; the last one is where
// nothing says it.
var versionFiles = map[string][]struct {
	file    string
	pattern *regexp.Regexp
}{
	"node":   {{packageJSON, regexp.MustCompile(`"node"\s*(:)`)}, {".nvmrc", anyLine}, {".node-version", anyLine}, {packageJSON, anyLine}},
	"python": {{"runtime.txt", anyLine}, {"Pipfile", regexp.MustCompile(`(?m)^(python_version)`)}, {".python-version", anyLine}},
	"go":     {{"go.mod", goDirective}, {"go.mod", anyLine}, {"main.go", anyLine}},
	"php":    {{"composer.json", regexp.MustCompile(`"php"\s*(:)`)}, {"composer.json", anyLine}, {"index.php", anyLine}},
	"ruby":   {{".ruby-version", anyLine}, {"Gemfile", regexp.MustCompile(`(?m)^ruby (["'])`)}, {"Gemfile", anyLine}},
	"java":   {{"nixpacks.toml", regexp.MustCompile(`(NIXPACKS_JDK_VERSION)`)}, {"pom.xml", anyLine}, {"build.gradle", anyLine}},
	"dotnet": {{"global.json", regexp.MustCompile(`"version"\s*(:)`)}},
}

var anyLine = regexp.MustCompile(`(.)`)

func (l *look) versionEvidence(language string) (file string, line int) {
	for _, candidate := range versionFiles[language] {
		if _, line := l.match(candidate.file, candidate.pattern); line > 0 {
			return candidate.file, line
		}
	}
	if language == "dotnet" {
		for _, suffix := range []string{".csproj", ".fsproj"} {
			if name, _ := l.first(suffix); name != "" {
				return name, 0
			}
		}
	}
	return "", 0
}
