package planner

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var databaseChange = regexp.MustCompile(`(?:mix ecto\.(?:setup|migrate|create)|prisma (?:migrate deploy|migrate dev|db push)|(?:rake|rails) db:\w+|` +
	`manage\.py migrate|artisan migrate|alembic upgrade|knex(?:\.js)? migrate:\w+|typeorm migration:run|sequelize(?:-cli)? db:migrate|drizzle-kit (?:push|migrate)|flyway migrate|goose up)`)

// buildTimeWarnings tells of what runs while the image is built, where no database is and no variable of the app.
func (l *look) buildTimeWarnings() {
	if len(l.native.Phases[releasePhase].Cmds) > 0 {
		file, line := l.configLine("phases", releasePhase)
		l.warn("release.at_build", file, line, "the phase release (%q) runs while the image is built, not before the app is started", l.native.command(releasePhase))
	}
	for _, name := range slices.Sorted(maps.Keys(l.native.Phases)) {
		for _, command := range l.native.Phases[name].Cmds {
			l.databaseWarning(name, command)
		}
	}
}

func (l *look) databaseWarning(phase, command string) {
	file, line := "", 0
	if l.provides("elixir") {
		file = "mix.exs"
	}
	if call := scriptRun.FindStringSubmatch(command); call != nil && l.manifest.Scripts[call[1]] != "" {
		command, file, line = l.manifest.Scripts[call[1]], packageJSON, l.keyLine(packageJSON, "scripts", call[1])
	}
	if change := databaseChange.FindString(command); change != "" && phase != releasePhase {
		l.warn("db.at_build", file, line, "%q runs in the phase %s of the build", change, phase)
	}
}

// substrings are words that make nixpacks install something wherever they stand in a manifest, for the providers that look.
var substrings = []struct {
	provider, word string
	files          []string
	name           *regexp.Regexp // of a package that needs what is installed
}{
	{"node", "puppeteer", nodeManifests, regexp.MustCompile(`["'@/\s](?:puppeteer[a-z-]*)["'@:]`)},
	{"node", "sharp", nodeManifests, regexp.MustCompile(`["'@/\s]sharp["'@:]`)},
	{"node", "canvas", nodeManifests, regexp.MustCompile(`["'@/\s](?:napi-rs/)?canvas["'@:]`)},
	{"node", "prisma", nodeManifests, regexp.MustCompile(`["'@/\s]@?prisma["'@:/]`)},
	{"python", "cairo", pythonManifests, regexp.MustCompile(`(?i)(?:^|["'\s])(?:py|weasy|cairo)?cairo[a-z]*\b`)},
	{"ruby", "pg", []string{"Gemfile"}, regexp.MustCompile(`["']pg["']`)},
	{"ruby", "mysql", []string{"Gemfile"}, regexp.MustCompile(`["'](?:mysql2?|trilogy)["']`)},
}

var (
	nodeManifests   = []string{packageJSON, "package-lock.json", "yarn.lock", "pnpm-lock.yaml"}
	pythonManifests = []string{"requirements.txt", "pyproject.toml", "Pipfile"}
)

func (l *look) substringWarnings() {
	if !l.native.hasNix() && len(l.native.Phases["setup"].AptPkgs) == 0 {
		return
	}
	for _, s := range substrings {
		file, line, named := "", 0, false
		for _, name := range s.files {
			text := l.read(name)
			if _, at := l.match(name, regexp.MustCompile(`(`+s.word+`)`)); at > 0 && file == "" {
				file, line = name, at
			}
			named = named || s.name.Match(text)
		}
		if l.provides(s.provider) && file != "" && !named {
			l.warn("deps.substring_match", file, line, "the word %q makes nixpacks install what a package of that name needs, and none is used", s.word)
		}
	}
}

var movingOverlay = regexp.MustCompile(`/archive/(?:main|master|HEAD)\.`)

func (l *look) overlayWarnings() {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(l.native.Phases)) {
		for _, url := range l.native.Phases[name].NixOverlays {
			if movingOverlay.MatchString(url) && !seen[url] {
				l.warn("overlay.unpinned", l.oneOf(packageJSON, "Cargo.toml", "composer.json", "index.php"), 0, "the phase %s takes packages from %s, whatever that is at the time", name, url)
				seen[url] = true
			}
		}
	}
}

// oneOf returns the first of the files that there is.
func (l *look) oneOf(names ...string) string {
	for _, name := range names {
		if l.src.exists(name) {
			return name
		}
	}
	return ""
}

// staticWarnings tells of settings for served files in a plan that serves none.
func (l *look) staticWarnings() {
	if l.plan.Static != nil || l.plan.Builder == deployment.BuilderStatic {
		return
	}
	ignored := []string{}
	if l.project.Build.Static.SPA {
		ignored = append(ignored, "static.spa")
	}
	if len(l.project.Build.Static.Headers) > 0 {
		ignored = append(ignored, "static.headers")
	}
	if len(ignored) > 0 {
		l.warn("static.ignored", "", 0, "the plan starts an app and serves no folder, so the project's %s does nothing", strings.Join(ignored, " and "))
	}
}

// envFileWarnings names .env files, which never enter a build: an app that expects one there would miss it silently.
func (l *look) envFileWarnings() {
	names, err := fs.Glob(l.src.FS(), ".env*")
	if err != nil {
		return
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".example") && !strings.HasSuffix(name, ".sample") && l.src.exists(name) {
			l.warn("context.env_file_ignored", name, 0, "%s is kept out of builds and images", name)
		}
	}
}

// nixPackages returns all packages that nix installs.
func (n *nativePlan) nixPackages() (packages []string) {
	for _, name := range slices.Sorted(maps.Keys(n.Phases)) {
		packages = append(packages, n.Phases[name].NixPkgs...)
	}
	return packages
}
