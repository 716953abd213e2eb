package deployment

import (
	"maps"
	"slices"
	"strings"
)

// ChangesSince returns what its owner may not have meant: another language or builder, version, start command or base image than
// the plan before had, which is nil for none. What either of the plans does not know is no change.
func (p *Plan) ChangesSince(before *Plan) []Warning {
	if before == nil {
		return nil
	}
	var changes []Warning
	changed := func(code, what, old, now string) {
		if old != "" && now != "" && old != now {
			changes = append(changes, NewWarning(code, "", 0, "%s is now %q, and was %q in the environment's last deployment", what, now, old))
		}
	}
	changed("change.provider", "the provider", before.provider(), p.provider())
	for _, language := range slices.Sorted(maps.Keys(p.Versions)) {
		changed("change.version", "the version of "+language, before.Versions[language], p.Versions[language])
	}
	changed("change.start", "the start command", before.StartCommand, p.StartCommand)
	changed("change.base", "the base image", before.Base, p.Base)
	return changes
}

// provider names the builder and the languages.
func (p *Plan) provider() string {
	return strings.Join(append([]string{string(p.Builder)}, p.Providers...), " ")
}
