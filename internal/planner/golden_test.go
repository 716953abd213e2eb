package planner_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden_Examples(t *testing.T) {
	t.Parallel()
	airgapped, err := planner.LoadOverrides(filepath.Join("..", "..", "deploy", "overrides", "airgapped.yaml"))
	require.NoError(t, err)
	profiles := map[string]planner.Overrides{"default": {}, "airgapped": airgapped}
	examples := map[string]string{
		"node": ".", "python": ".", "go": ".", "dockerfile": ".", "static": ".", "monorepo": "apps/web",
	}
	for profile, overrides := range profiles {
		p := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: overrides, Now: today})
		for example, rootDir := range examples {
			t.Run(profile+"/"+example, func(t *testing.T) {
				t.Parallel()
				checkout := filepath.Join("..", "..", "examples", example)
				requireGolden(t, p, checkout, deployment.Project{RootDir: rootDir}, filepath.Join("testdata", "golden", profile, example))
			})
		}
	}
}

// requireGolden plans a checkout, with one build secret if no others are given, and compares the plan and the Dockerfile with the
// golden files.
func requireGolden(t *testing.T, p *planner.Planner, checkout string, project deployment.Project, golden string, secrets ...string) *deployment.Plan {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{"DEMO_TOKEN"}
	}
	plan, dockerfile, err := p.Plan(t.Context(), checkout, project, secrets)
	require.NoError(t, err)
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(plan))

	requireFile(t, filepath.Join(golden, "plan.json"), encoded.String())
	requireFile(t, filepath.Join(golden, "Dockerfile"), dockerfile)
	parse(t, dockerfile)
	return plan
}

func requireFile(t *testing.T, path, content string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the tests with -update")
	require.Equal(t, string(want), content)
}

// parse reads a Dockerfile as BuildKit does.
func parse(t *testing.T, dockerfile string) []instructions.Stage {
	t.Helper()
	result, err := parser.Parse(bytes.NewReader([]byte(dockerfile)))
	require.NoError(t, err)
	require.Empty(t, result.Warnings)
	stages, _, err := instructions.Parse(result.AST, nil)
	require.NoError(t, err)
	return stages
}
