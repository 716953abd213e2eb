package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	commands := deployment.Project{StartCommand: "./x"}
	tests := map[string]struct {
		repo    string
		project deployment.Project
		want    map[string]string // message by code and file
	}{
		"typos and no version": {"node-typo-config", deployment.Project{}, map[string]string{
			"config.unknown_key nixpacks.toml":    `"builder"`,
			"config.unknown_key nixpacks.toml#1":  `"phases.install.cacheDir"`,
			"config.unknown_key nixpacks.toml#2":  `"start.command"`,
			"node.version_defaulted package.json": "nodejs_18",
		}},
		"a version in .nvmrc":     {"node-static", deployment.Project{}, nil},
		"a release command":       {"procfile-release", deployment.Project{}, map[string]string{"release.at_build Procfile": "node migrate.js"}},
		"a Go that is too new":    {"go-new", deployment.Project{}, map[string]string{"go.version_fallback go.mod": "asks for Go 1.25, nixpacks installs Go 1.22"}},
		"two lock files":          {"two-lockfiles", deployment.Project{}, map[string]string{"pm.multiple_lockfiles package-lock.json": "package-lock.json and yarn.lock"}},
		"a Dockerfile's commands": {"multi-stage", commands, map[string]string{"dockerfile.commands_ignored Dockerfile": "do nothing"}},
		"a .env file": {"env-file", deployment.Project{}, map[string]string{
			"context.env_file_ignored .env.production": "kept out",
			"node.version_defaulted package.json":      "nodejs_18",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, _, err := newPlanner(t).Plan(t.Context(), repo(test.repo), test.project, nil)
			require.NoError(t, err)
			require.Len(t, plan.Warnings, len(test.want), "%+v", plan.Warnings)
			seen := map[string]int{}
			for _, w := range plan.Warnings {
				key := w.Code + " " + w.File
				if n := seen[key]; n > 0 {
					key += "#" + string(rune('0'+n))
				}
				seen[w.Code+" "+w.File]++
				require.Contains(t, test.want, key)
				require.Contains(t, w.Message, test.want[key])
				require.NotEmpty(t, w.Fix)
				require.NotEmpty(t, w.Severity)
			}
		})
	}
}

// Where the operator's base image brings the languages, nixpacks' choice of a version means nothing.
func TestWarnings_NoVersionsWhereTheBaseImageChooses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"env-file", "go-new"} {
		plan, _, _ := planWith(t, planner.Overrides{BuildImage: "own/base", ClearPackages: true}, name)
		for _, w := range plan.Warnings {
			require.NotContains(t, []string{"node.version_defaulted", "go.version_fallback"}, w.Code)
		}
	}
}
