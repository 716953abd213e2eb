package planner

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// bunVersion is installed where the repository asks for no Bun. It reads the lock files of older ones.
	bunVersion = "1.4.5"
	// nixBunLock is the newest format of bun.lock that the Bun of nixpacks' package set reads. It passes over newer ones, and takes
	// the newest packages instead of those that are locked.
	nixBunLock = 1
	bunInstall = "bun:install"
)

var (
	bunCall      = regexp.MustCompile(`(?m)(?:^|[;&|("']\s*|\bexec\s+|=\S*\s+|\s--\s+)bunx?(?:$|\s)`)
	bunInstalled = regexp.MustCompile(`(?m)\b(?:p?npm (?:i|install|add)|yarn global add)[ \t](?:[^&|;\n]*[ \t])?bun(?:@\S+)?(?:$|[\s&|;])|` +
		`\bbun\.(?:sh|com)/install\b|\boven-sh/bun\b|\bnixpkgs\.bun\b`)
	bunLock  = regexp.MustCompile(`"lockfileVersion":\s*(\d+)`)
	exactBun = regexp.MustCompile(`^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$`)
)

// bun installs Bun with npm where a command calls it and nothing brings it, or another one than the repository needs. It does so in
// a phase of its own: that reads nothing of the source but npm's settings, so its layer stays when a lock file changes.
func (r *repairs) bun() {
	commands := r.allCommands()
	if !r.bringsNpm() || r.files != "" || !bunCall.MatchString(commands) || bunInstalled.MatchString(commands) {
		return
	}
	need := r.bunNeeded()
	if need.version == "" {
		return
	}
	settings, files := r.npmSettings()
	r.setPhase(bunInstall, phaseChange{
		DependsOn: &[]string{"setup"}, Cmds: &[]string{"npm install -g --prefix=" + managerDir + " " + settings + "bun@" + need.version},
		Paths: &[]string{managerDir + "/bin"}, OnlyIncludeFiles: files, CacheDirectories: &[]string{"/root/.npm"},
	})
	r.onlyThatBun()
	own := r.native.Phases["install"].Cmds
	if named, _, _ := r.managerNamed(); strings.HasPrefix(named, "bun") && len(own) > 0 && corepackPinned.MatchString(own[0]) {
		own = own[1:] // Corepack knows nothing of Bun
		r.setPhase("install", phaseChange{Cmds: &own})
	}
	explicit := append([]string{"npm install -g " + settings + "bun@" + need.version}, own...)
	r.say("repair.package_manager", need.file, need.line,
		`set install_command to "`+strings.Join(explicit, " && ")+`" to keep this, or set repairs to off`, "%s, so npm installs bun@%s", need.reason, need.version)
}

// onlyThatBun lets installs wait for the Bun that npm installs, and leaves out the one of nixpacks' package set.
func (r *repairs) onlyThatBun() {
	for name, phase := range r.native.Phases {
		if phaseKind(name) == "install" {
			after := append(slices.Clone(phase.DependsOn), bunInstall)
			r.setPhase(name, phaseChange{DependsOn: &after})
		}
		if slices.Contains(phase.NixPkgs, "bun") {
			others := slices.DeleteFunc(slices.Clone(phase.NixPkgs), func(pkg string) bool { return pkg == "bun" })
			r.setPhase(name, phaseChange{NixPkgs: &others})
		}
	}
}

// bringsNpm reports whether an image of the plan has npm: Node's package brings it, and so does a base with Node.
func (r *repairs) bringsNpm() bool {
	node := func(name string) bool { return strings.HasPrefix(name, "nodejs") }
	return r.provides("node") && (r.overrides.ClearPackages || slices.ContainsFunc(r.native.nixPackages(), node))
}

// allCommands returns what the plan runs, and the scripts of package.json that it names.
func (r *repairs) allCommands() string {
	lines := []string{r.native.commands(), r.expand(r.command(), 0)}
	for _, phase := range []string{"install", "build"} {
		lines = append(lines, r.expand(r.native.command(phase), 0))
	}
	return strings.Join(lines, "\n")
}

// bunNeed is a Bun that has to be installed, and why; without a version none has to be.
type bunNeed struct {
	version, reason, file string
	line                  int
}

func (r *repairs) bunNeeded() bunNeed {
	asked, file, line := r.bunAsked()
	need := bunNeed{version: cmp.Or(asked, bunVersion), file: file, line: line}
	switch given := r.overrides.BunVersion; {
	case slices.Contains(r.native.nixPackages(), "bun"):
		lock, lockFile, lockLine := r.matchAround("bun.lock", bunLock)
		switch {
		case asked != "":
			need.reason = "a version of Bun is asked for, and nixpacks takes the one of its package set"
		case lock != nil && newerLock(lock[1]):
			need.reason, need.file, need.line = "nixpacks' Bun is older than the lock file and would pass over it", lockFile, lockLine
		default:
			return bunNeed{}
		}
	case r.overrides.ClearPackages && given != "":
		if asked == "" || asked == given || strings.HasPrefix(given, asked+".") {
			return bunNeed{}
		}
		need.reason = "a version of Bun is asked for, and the base image has Bun " + given
	case r.bunInstalledByOthers():
		return bunNeed{}
	default:
		need.reason = "Bun is called, and nothing brings it"
	}
	return need
}

func newerLock(format string) bool {
	n, err := strconv.Atoi(format)
	return err == nil && n > nixBunLock
}

// bunInstalledByOthers reports whether another package manager installs Bun as a dependency of the app, or of the workspace whose
// packages are installed with the app's.
func (r *repairs) bunInstalledByOthers() bool {
	return r.packageManager() != "bun" && (r.depends("bun") > 0 || r.installedAt().depends("bun") > 0)
}

// bunFiles are where a version of Bun is asked for, the first before the others; nixpacks reads none of them for it.
var bunFiles = []struct {
	name string
	asks *regexp.Regexp
}{
	{".bun-version", regexp.MustCompile(`^\s*v?(\S+)`)},
	{"mise.toml", miseBun},
	{".mise.toml", miseBun},
	{".tool-versions", regexp.MustCompile(`(?m)^[ \t]*bun[ \t]+v?(\S+)`)},
}

var (
	// miseBun matches a tool's version, the first of several, or the one beside its options. Other sections hold other things.
	miseBun = regexp.MustCompile(`(?m)^[ \t]*\[tools\].*\n(?:(?:[^\[\n].*)?\n)*?[ \t]*"?bun"?[ \t]*=[ \t]*(?:\[\s*|\{[^}\n]*\bversion[ \t]*=[ \t]*)?["']v?([^"'\n]+)["']`)
	// askedBun is a version, or the beginning of one: npm takes the newest that begins so, as mise does.
	askedBun = regexp.MustCompile(`^\d+(?:\.\d+(?:\.\d+(?:-[0-9A-Za-z.-]+)?)?)?$`)
)

// bunAsked returns the version of Bun that the app, or else the workspace that it is in, asks for, "" for none, and where.
func (r *repairs) bunAsked() (version, file string, line int) {
	named, file, line := r.managerNamed()
	if exact := exactManager.FindStringSubmatch(named); exact != nil && exact[1] == "bun" {
		return exact[2], file, line
	}
	root, up := r.workspace()
	for _, place := range []struct {
		*look
		way string
	}{{r.look, ""}, {root, up}} {
		for _, f := range bunFiles {
			asked, at := place.match(f.name, f.asks)
			if asked != nil && askedBun.MatchString(asked[1]) {
				return asked[1], place.way + f.name, at
			}
			if asked != nil {
				return "", file, line // the newest, or a channel
			}
		}
	}
	return "", file, line
}
