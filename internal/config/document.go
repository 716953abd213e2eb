package config

import (
	"fmt"
	"strings"
)

const introduction = `# Configuration

<!-- Made by internal/config from the declarations of the settings: go test ./internal/config -run Document -update -->

Every setting is a variable of the environment, or a key of the YAML file ` + "`slipway.yaml`" + ` in the working directory
(` + "`SLIPWAY_CONFIG`" + ` names another), where the dots of a key are sections. A variable wins over the file, the file over the
default. Lists are separated by commas, in the file they may be lists. Times are written like ` + "`500ms`, `15s`, `10m` or `2h`, sizes like `500MB` or `3GB`, in which a GB is 1024 MB" + `.

A program checks its configuration whole when it starts, and reports everything that is wrong at once, names that it does not
know included. Changes take effect at the next start.

The CLI reads ` + "`SLIPWAY_API_URL` and `SLIPWAY_TOKEN`" + `; ` + "`make` and the tests read `SLIPWAY_CACHE`" + ` (default ` + "`~/.cache/slipway`" + `),
the folder of what is slow to make.
`

// Document returns docs/configuration.md.
func Document() string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, s := range new(Dev).sections(loopback) {
		fmt.Fprintf(&b, "\n## %s\n\n| Variable | Key | Default | Meaning |\n|---|---|---|---|\n", s.title)
		for _, k := range s.keys {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", k.env, k.path, shown(k.initial), k.doc)
		}
	}
	return b.String()
}

// shown formats a default.
func shown(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
