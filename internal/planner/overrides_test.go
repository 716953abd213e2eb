package planner_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func loadOverrides(t *testing.T, text string) (planner.Overrides, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "overrides.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return planner.LoadOverrides(path)
}

func TestLoadOverrides(t *testing.T) {
	t.Parallel()
	o, err := loadOverrides(t, `
build_image: base:1
run_image: run:1
static_image: static:1
clear_packages: true
variables: {PIP_CERT: /ca.crt}
providers:
  php: {build_image: "php:1", apt_packages: [php-cli]}
`)
	require.NoError(t, err)
	require.Equal(t, planner.Overrides{
		BuildImage: "base:1", RunImage: "run:1", StaticImage: "static:1", ClearPackages: true,
		Variables: map[string]string{"PIP_CERT": "/ca.crt"},
		Providers: map[string]planner.ProviderOverrides{"php": {BuildImage: "php:1", AptPackages: []string{"php-cli"}}},
	}, o)

	empty, err := loadOverrides(t, "# nothing yet\n")
	require.NoError(t, err)
	require.Zero(t, empty)
}

func TestLoadOverrides_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"build_imag: x":                            {"build_imag", "line 1"},
		"providers: {node: {images: x}}":           {"images"},
		"clear_packages: maybe":                    {"clear_packages", "maybe"},
		"node_version: latest":                     {"node_version", "latest"},
		"bun_version: 1.4":                         {"bun_version", "1.4"},
		"build_image: 'a b'\nrun_image: '--x'":     {"build_image", "run_image"},
		"variables: {'A-B': x}":                    {"variables.A-B"},
		"providers: {go: {build_image: 'x y'}}":    {"providers.go.build_image"},
		"providers: {go: {apt_packages: [-oX=1]}}": {"providers.go.apt_packages[0]"},
	}
	for text, words := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, err := loadOverrides(t, text)
			require.Error(t, err)
			for _, word := range words {
				if word != "clear_packages" { // yaml names the line and the value, not the key, of a wrong type
					require.ErrorContains(t, err, word)
				}
			}
		})
	}
	_, err := planner.LoadOverrides(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// native is what tests read of the native plan.
type native struct {
	BuildImage string `json:"buildImage"`
	Phases     map[string]struct {
		NixPkgs, NixLibs, NixOverlays, AptPkgs []string
	} `json:"phases"`
	Start struct{ RunImage string } `json:"start"`
}

func planWith(t *testing.T, o planner.Overrides, name string) (*deployment.Plan, native, string) {
	t.Helper()
	p := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: o})
	plan, dockerfile, err := p.Plan(t.Context(), repo(name), deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}, nil)
	require.NoError(t, err)
	var n native
	require.NoError(t, json.Unmarshal(plan.Native, &n))
	return plan, n, dockerfile
}

func TestOverrides_ClearPackagesOfEveryPhase(t *testing.T) {
	t.Parallel()
	_, before, _ := planWith(t, planner.Overrides{}, "spa")
	require.NotEmpty(t, before.Phases["setup"].NixPkgs)
	require.NotEmpty(t, before.Phases["caddy"].NixPkgs)

	_, after, dockerfile := planWith(t, planner.Overrides{BuildImage: "own/base:1", ClearPackages: true}, "spa")
	require.Len(t, after.Phases, len(before.Phases))
	for name, phase := range after.Phases {
		require.Empty(t, phase.NixPkgs, name)
		require.Empty(t, phase.NixOverlays, name)
		require.Empty(t, phase.AptPkgs, name)
	}
	require.Equal(t, "own/base:1", after.BuildImage)
	for _, unreachable := range []string{"ghcr.io", "github.com", "nix-env", "apt-get"} {
		require.NotContains(t, dockerfile, unreachable)
	}
}

func TestOverrides_RunImageOnlyWhereThePlanHasOne(t *testing.T) {
	t.Parallel()
	o := planner.Overrides{RunImage: "own/run:1"}
	_, n, dockerfile := planWith(t, o, "config-only")
	require.Equal(t, "own/run:1", n.Start.RunImage)
	require.Contains(t, dockerfile, "FROM own/run:1\n")

	_, n, dockerfile = planWith(t, o, "spa")
	require.Empty(t, n.Start.RunImage)
	require.NotContains(t, dockerfile, "own/run:1")
}

func TestOverrides_OfTheProvider(t *testing.T) {
	t.Parallel()
	o := planner.Overrides{
		BuildImage: "own/base:1",
		Variables:  map[string]string{"PIP_CERT": "/ca.crt"},
		Providers: map[string]planner.ProviderOverrides{
			"django":   {AptPackages: []string{"gettext"}},
			"postgres": {AptPackages: []string{"libpq5"}, BuildImage: "own/postgres:1"},
			"python":   {BuildImage: "own/python:1"},
			"node":     {BuildImage: "own/node:1", AptPackages: []string{"nodejs"}},
		},
	}
	plan, n, dockerfile := planWith(t, o, "django")
	require.Equal(t, "own/python:1", n.BuildImage)
	require.Equal(t, []string{"gettext", "libpq5"}, n.Phases["setup"].AptPkgs)
	require.NotEmpty(t, n.Phases["setup"].NixPkgs)
	require.Equal(t, "/ca.crt", plan.Variables["PIP_CERT"])
	require.Equal(t, "1", plan.Variables["PYTHONUNBUFFERED"])
	require.Contains(t, dockerfile, "/var/cache/apt/kept gettext libpq5\n")

	o.ClearPackages = true
	_, n, _ = planWith(t, o, "django")
	require.Equal(t, []string{"gettext", "libpq5"}, n.Phases["setup"].AptPkgs)
	require.Empty(t, n.Phases["setup"].NixPkgs)
}

func TestOverrides_KeepThePlansOwnAptPackages(t *testing.T) {
	t.Parallel()
	p := planner.New(planner.Options{NixpacksPath: nixpacksPath(t), Overrides: planner.Overrides{
		Providers: map[string]planner.ProviderOverrides{"node": {AptPackages: []string{"tini"}}},
	}})
	checkout := writeRepo(t, map[string]string{
		"package.json":  `{"name": "x", "scripts": {"start": "node x.js"}}`,
		"nixpacks.toml": "[phases.setup]\naptPkgs = [\"jq\"]\n",
	})
	_, dockerfile, err := p.Plan(t.Context(), checkout, deployment.Project{}, nil)
	require.NoError(t, err)
	require.Contains(t, dockerfile, "/var/cache/apt/kept jq tini\n")
}

func TestOverrides_StaticImage(t *testing.T) {
	t.Parallel()
	_, _, dockerfile := planWith(t, planner.Overrides{StaticImage: "own/static:1"}, "static-public")
	require.Contains(t, dockerfile, "FROM own/static:1\n")
	require.Contains(t, dockerfile, `COPY ["public", "/srv"]`)
}
