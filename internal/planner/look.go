package planner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// look is what warnings and repairs are computed from: the source, the plan that was made of it, and the time.
type look struct {
	src        *source
	project    deployment.Project
	plan       *deployment.Plan
	native     *nativePlan // empty unless nixpacks planned
	dockerfile *dockerfile // nil unless the repository's own is built
	manifest   manifest    // package.json of the root directory
	now        time.Time
	found      []deployment.Warning
}

// manifest is what warnings and repairs read of a package.json.
type manifest struct {
	Scripts         map[string]string `json:"scripts"`
	PackageManager  string            `json:"packageManager"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
	Engines         json.RawMessage   `json:"engines"`
	Main            string            `json:"main"`
	Module          string            `json:"module"`
}

const packageJSON = "package.json"

func newLook(src *source, project deployment.Project, plan *deployment.Plan, native *nativePlan) *look {
	l := &look{src: src, project: project, plan: plan, native: native}
	_ = json.Unmarshal(l.read(packageJSON), &l.manifest)
	return l
}

// lookAt fills in what the plan itself tells of versions and base, and returns the warnings about it. It never fails: what cannot
// be read is not certain, and what is not certain is no warning.
func lookAt(src *source, project deployment.Project, plan *deployment.Plan, text string, now time.Time) []deployment.Warning {
	l := newLook(src, project, plan, &nativePlan{})
	l.now = now
	switch plan.Builder {
	case deployment.BuilderDockerfile:
		l.dockerfile = readDockerfile(text)
		l.dockerfileVersions()
		l.dockerfileWarnings()
	case deployment.BuilderNixpacks:
		if native, err := decodeNative(plan.Native); err == nil {
			l.native = native
		}
		l.native.Variables = plan.Variables // the plan's own JSON has them no more
		l.nixpacksVersions()
		l.nixpacksWarnings()
	case deployment.BuilderStatic, deployment.BuilderAuto:
		l.subfolderWarnings()
	case deployment.BuilderRailpack: // says itself what it found
	}
	l.staticWarnings()
	l.releaseWarnings()
	l.envFileWarnings()
	l.eolWarnings()
	l.networkWarnings()
	return l.found
}

func (l *look) nixpacksWarnings() {
	l.providerWarnings()
	l.at(l.src.planned(configFiles...), (*look).configWarnings)
	if l.provides("node") {
		if wish, _, _, _ := l.nodeWish(); wish != "" {
			l.nodeVersionWarnings()
		} else {
			l.whereInstalled((*look).nodeVersionWarnings)
		}
		l.whereInstalled((*look).packageManagerWarnings)
		l.frontEndWarnings()
	}
	l.pythonWarnings()
	l.goWarnings()
	l.javaWarnings()
	l.phpWarnings()
	l.buildTimeWarnings()
	l.substringWarnings()
	l.overlayWarnings()
	l.startWarnings()
}

// whereInstalled computes warnings where the app's packages are installed from: at the root of its workspace, if it is in one.
func (l *look) whereInstalled(warnings func(*look)) {
	if a := l.src.around; a != nil && a.runs == deployment.ContextRunsInstall {
		l.at(a.root, warnings)
		return
	}
	warnings(l)
}

// at computes warnings in a folder: the source, or the root that it is a part of.
func (l *look) at(src *source, warnings func(*look)) {
	if src == l.src {
		warnings(l)
		return
	}
	at := newLook(src, l.project, l.plan, l.native)
	at.now = l.now
	warnings(at)
	up := strings.Repeat("../", 1+strings.Count(l.src.around.app, "/"))
	for _, w := range at.found {
		if w.File != "" {
			w.File = up + w.File
		}
		l.found = append(l.found, w)
	}
}

func (l *look) warn(code, file string, line int, format string, args ...any) *deployment.Warning {
	l.found = append(l.found, deployment.NewWarning(code, file, line, format, args...))
	return &l.found[len(l.found)-1]
}

// repaired reports whether a rule has put something right already.
func (l *look) repaired(code string) bool {
	return slices.ContainsFunc(l.plan.Warnings, func(w deployment.Warning) bool { return w.Code == code })
}

// port is where the app is expected, before the plan says it too.
func (l *look) port() int { return cmp.Or(l.project.Port, l.plan.Port, deployment.DefaultPort) }

func (l *look) provides(name string) bool { return slices.Contains(l.plan.Providers, name) }

// read returns a file's content, nothing when it cannot be read.
func (l *look) read(name string) []byte {
	data, err := l.src.read(name)
	if err != nil {
		return nil
	}
	return data
}

// match returns the first match of a pattern in a file, with the number of its line; nil for none.
func (l *look) match(name string, pattern *regexp.Regexp) (groups []string, line int) {
	data := l.read(name)
	at := pattern.FindSubmatchIndex(data)
	if at == nil {
		return nil, 0
	}
	for _, group := range pattern.FindSubmatch(data) {
		groups = append(groups, string(group))
	}
	return groups, lineAt(data, at[len(at)-2])
}

func lineAt(data []byte, offset int) int { return 1 + bytes.Count(data[:max(offset, 0)], []byte("\n")) }

// keyLine returns the line of a key of a JSON file, by the path to it; the first line when it is not there, since that is where
// it is missing.
func (l *look) keyLine(name string, keys ...string) int {
	data, offset := l.read(name), 0
	for _, key := range keys {
		at := regexp.MustCompile(regexp.QuoteMeta(`"`+key+`"`) + `\s*:`).FindIndex(data[offset:])
		if at == nil {
			return 1
		}
		offset += at[0] + 1
	}
	return lineAt(data, offset)
}

// depends returns where package.json names a dependency, 0 when it does not.
func (l *look) depends(name string) int {
	if _, ok := l.manifest.Dependencies[name]; ok {
		return l.keyLine(packageJSON, "dependencies", name)
	}
	if _, ok := l.manifest.DevDependencies[name]; ok {
		return l.keyLine(packageJSON, "devDependencies", name)
	}
	return 0
}

// first returns the first file by name that a suffix ends, of those in the root directory itself if there are any there.
func (l *look) first(suffix string) (found string, atRoot bool) {
	seen := 0
	_ = fs.WalkDir(l.src.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxWalked {
			return fs.SkipAll
		}
		if isHidden(entry.Name()) {
			return skip(entry)
		}
		if entry.Type().IsRegular() && strings.HasSuffix(name, suffix) {
			if inRoot := path.Dir(name) == "."; found == "" || inRoot && !atRoot {
				found, atRoot = name, inRoot
			}
		}
		return nil
	})
	return found, atRoot
}

// maxWalked bounds a walk through a source; what lies behind is not looked at.
const maxWalked = 20_000
