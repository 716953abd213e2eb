package planner

import (
	"regexp"
	"strings"
)

// devStart is a start script that does nothing but run a server for development, or one that shows the result on the
// developer's machine.
type devStart struct {
	server string // its command; empty when the script does something else
	tool   frontEnd
	built  string // the build that the script runs before, if it does
}

var (
	runner       = regexp.MustCompile(`^(?:(?:npx|bunx(?: --bun)?|bun(?: --bun)?(?: run| x)?(?: --bun)?|yarn|pnpm exec|pnpm|yarn run|exec)\s+(?:--no-install\s+|-y\s+)?|\S*node_modules/\.bin/)`)
	environments = regexp.MustCompile(`^(?:cross-env\s+)?(?:[A-Za-z_][A-Za-z0-9_]*=(?:"[^"]*"|'[^']*'|[^\s"']*)\s+)+`)
)

// devStart takes a script apart at &&: builds may come first, and then the one server. Anything else is more than that.
func (r *repairs) devStart(script string, depth int) devStart {
	found := devStart{}
	for part := range strings.SplitSeq(r.expand(script, depth), "&&") {
		plain := runner.ReplaceAllString(environments.ReplaceAllString(strings.TrimSpace(part), ""), "")
		if found.server != "" || strings.ContainsAny(plain, "|;&`$") {
			return devStart{}
		}
		matched := false
		for _, tool := range frontEnds() {
			switch {
			case matched:
			case tool.serve.MatchString(plain):
				found.server, found.tool, matched = plain, tool, true
			case tool.build.MatchString(plain):
				found.built, matched = plain, true
			}
		}
		if !matched && !strings.HasPrefix(plain, "tsc") {
			return devStart{}
		}
	}
	return found
}

var parcelEntry = regexp.MustCompile(`\s(\S+\.html)\b`)

// makes returns the command that builds what the server shows, for a repository without a build script.
func (d devStart) makes() string {
	if d.built != "" || d.server == "" {
		return d.built
	}
	if entry := parcelEntry.FindStringSubmatch(d.server); d.tool.name == "Parcel" && entry != nil {
		return "parcel build " + entry[1]
	}
	return d.tool.make
}
