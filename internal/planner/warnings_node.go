package planner

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// nodeVersionVariable asks nixpacks for a version of Node before anything else does.
const nodeVersionVariable = "NIXPACKS_NODE_VERSION"

// nodeWish returns which Node the repository asks for and where, as nixpacks looks for it; nothing when it does not, or when it
// cannot be read.
func (l *look) nodeWish() (wish, file string, line int, readable bool) {
	if wish := l.native.Variables[nodeVersionVariable]; wish != "" {
		file, line := l.configLine("variables", nodeVersionVariable)
		return wish, file, line, true
	}
	var engines map[string]string
	if len(l.manifest.Engines) > 0 && json.Unmarshal(l.manifest.Engines, &engines) != nil {
		return "", "", 0, false
	}
	if wish := engines["node"]; wish != "" {
		return wish, packageJSON, l.keyLine(packageJSON, "engines", "node"), true
	}
	for _, file := range []string{".nvmrc", ".node-version"} {
		if l.src.exists(file) {
			return strings.TrimPrefix(strings.TrimSpace(string(l.read(file))), "v"), file, 1, true
		}
	}
	return "", packageJSON, l.keyLine(packageJSON, "engines"), l.src.exists(packageJSON)
}

// nodeVersionWarnings tells what becomes of the version that is asked for. Where the packages are cleared, the base image chose it.
func (l *look) nodeVersionWarnings() {
	given, err := strconv.Atoi(l.plan.Versions["node"])
	wish, file, line, readable := l.nodeWish()
	if err != nil || !readable || l.repaired("repair.node_version") {
		return
	}
	if wish == "" {
		l.warn("node.version_defaulted", file, line, "no version of Node is asked for, so nixpacks takes its default (%d)", given)
		return
	}
	met, floats, known := majorRange(wish, given)
	switch {
	case known && !met:
		l.warn("node.version_unavailable", file, line, "Node %q is asked for, nixpacks installs Node %d", wish, given)
	case known && floats:
		l.warn("node.version_floating", file, line, "%q is met by every newer Node; today nixpacks installs Node %d", wish, given)
	}
}

// ltsNames are the code names that nvm knows.
var ltsNames = map[string]string{
	"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14", "gallium": "16", "hydrogen": "18",
	"iron": "20", "jod": "22", "krypton": "24",
}

var (
	hyphenRange = regexp.MustCompile(`(\S+)\s+-\s+(\S+)`)
	comparator  = regexp.MustCompile(`(>=|<=|>|<|=|\^|~)?\s*v?(\d+|[xX*])((?:\.(?:\d+|[xX*]))*)`)
	rangeShape  = regexp.MustCompile(`^(?:\s*(?:>=|<=|>|<|=|\^|~)?\s*v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*]))*)+\s*$`)
)

// majorRange reports whether some version of a major is in a range, and whether the range has no upper end. known is false for
// what it cannot judge.
func majorRange(wish string, major int) (met, floats, known bool) {
	if name, ok := strings.CutPrefix(wish, "lts/"); ok {
		if wish = ltsNames[name]; wish == "" {
			return false, false, false // lts/* is what it is at the time
		}
	}
	for alternative := range strings.SplitSeq(wish, "||") {
		alternative = hyphenRange.ReplaceAllString(alternative, ">=$1 <=$2")
		if !rangeShape.MatchString(alternative) {
			return false, false, false
		}
		in, bounded := true, false
		for _, c := range comparator.FindAllStringSubmatch(alternative, -1) {
			ok, upper := compareMajor(c[1], c[2], c[3], major)
			in, bounded = in && ok, bounded || upper
		}
		met, floats = met || in, floats || !bounded
	}
	return met, floats, true
}

// compareMajor reports whether a comparator lets some version of a major pass, and whether it is an upper end.
func compareMajor(operator, number, rest string, major int) (in, upper bool) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return true, false // x and * are anything
	}
	whole := strings.Trim(rest, ".0xX*") == "" // no version of that major is below
	switch cmp.Or(operator, "=") {
	case ">=":
		return major >= n, false
	case ">":
		return major > n || major == n && rest != "", false
	case "<":
		return major < n || major == n && !whole, true
	case "<=":
		return major <= n, true
	}
	return major == n, true
}
