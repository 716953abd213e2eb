package planner

import (
	"regexp"
	"slices"
	"strings"
)

// lockfiles are the files that package managers write, with who writes them.
var lockfiles = []struct{ file, manager string }{
	{"package-lock.json", "npm"}, {"yarn.lock", "yarn"}, {"pnpm-lock.yaml", "pnpm"}, {"bun.lockb", "bun"}, {"bun.lock", "bun"},
}

var (
	managerCall = regexp.MustCompile(`(?:^|&& |; )(npm|pnpm|yarn|bun) (?:ci|i|install|--frozen|--immutable|run|start|build)`)
	corepackAdd = regexp.MustCompile(`npm (?:install|i) -g \S+( && corepack enable)?`)
	yarnBerry   = regexp.MustCompile(`(?m)^(__metadata):`)
	pnpmLock    = regexp.MustCompile(`(?m)^lockfileVersion: '?(\d+)`)
)

// callsManager returns the package manager that a command calls first, empty for none.
func callsManager(command string) string {
	if call := managerCall.FindStringSubmatch(corepackAdd.ReplaceAllString(command, "")); call != nil {
		return call[1]
	}
	if strings.HasPrefix(command, "yarn") {
		return "yarn"
	}
	return ""
}

func (l *look) packageManagerWarnings() {
	var found, managers []string
	for _, lock := range lockfiles {
		if l.src.exists(lock.file) {
			found, managers = append(found, lock.file), append(managers, lock.manager)
		}
	}
	if len(slices.Compact(managers)) > 1 {
		l.warn("pm.multiple_lockfiles", found[0], 1, "%s belong to different package managers; the install command is %q",
			strings.Join(found, " and "), l.plan.InstallCommand)
	}
	if l.project.InstallCommand != "" {
		return // whoever writes it knows which one it calls
	}
	installer := callsManager(l.plan.InstallCommand)
	l.mismatchWarnings(installer)
	l.frozenWarnings(installer, managers)
	l.guessWarnings()
}

func (l *look) mismatchWarnings(installer string) {
	wanted, _, _ := strings.Cut(l.manifest.PackageManager, "@")
	file, line := packageJSON, l.keyLine(packageJSON, "packageManager")
	if wanted == "" {
		wanted, line = callsManager(l.plan.BuildCommand), l.keyLine(packageJSON, "scripts", "build")
	}
	if wanted != "" && installer != "" && wanted != installer {
		l.warn("pm.install_mismatch", file, line, "the repository uses %s, and its packages are installed by %q", wanted, l.plan.InstallCommand)
	}
}

// frozenWarnings tells of an install that takes versions from a lock file alone, and has none.
func (l *look) frozenWarnings(installer string, managers []string) {
	frozen := strings.Contains(l.plan.InstallCommand, "--frozen-lockfile") || strings.Contains(l.plan.InstallCommand, "npm ci")
	if frozen && installer != "" && !slices.Contains(managers, installer) {
		l.warn("pm.frozen_without_lock", packageJSON, l.keyLine(packageJSON, "packageManager"),
			"%q needs the lock file of %s, which the repository does not have", l.plan.InstallCommand, installer)
	}
}

func (l *look) guessWarnings() {
	if strings.Contains(l.manifest.PackageManager, "@") || len(l.plan.Versions) == 0 {
		return
	}
	if _, line := l.match("yarn.lock", yarnBerry); line > 0 && strings.Contains(strings.Join(l.native.nixPackages(), " "), "yarn-1") {
		l.warn("pm.version_guess", "yarn.lock", line, "the lock file was written by Yarn 2 or newer, and nixpacks installs Yarn 1").
			Fix = `set packageManager in package.json to what you use, e.g. "yarn@4.5.0"`
	}
	if lock, line := l.match("pnpm-lock.yaml", pnpmLock); lock != nil && len(lock[1]) == 1 && lock[1] >= "9" {
		l.warn("pm.version_guess", "pnpm-lock.yaml", line, "pnpm 9 and newer ones write such a lock file; nixpacks guesses pnpm 9")
	}
}
