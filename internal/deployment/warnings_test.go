package deployment_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// The table of docs/warnings.md is the table of kinds.
func TestWarningsDocument(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, k := range deployment.WarningKinds() {
		fmt.Fprintf(&b, "### %s\n\n%s: %s.\n\n- Example: %s.\n- Fix: %s.\n\n", k.Code, k.Severity, k.Meaning, k.Example, k.Fix)
	}
	requireGenerated(t, "../../docs/warnings.md", b.String())
}

func TestWarning_SaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	const code = "node.version_defaulted"
	require.Equal(t, "warning node.version_defaulted: package.json:3: no 22", deployment.NewWarning(code, "package.json", 3, "no %d", 22).String())
	require.Equal(t, "warning node.version_defaulted: package.json: x", deployment.NewWarning(code, "package.json", 0, "x").String())
	require.Equal(t, "warning node.version_defaulted: x", deployment.NewWarning(code, "", 0, "x").String())
	require.NotEmpty(t, deployment.NewWarning(code, "", 0, "x").Fix)
	require.Equal(t, "do 5", deployment.NewWarning(code, "", 0, "x").Fixed("do %d", 5).Fix)
}

func TestBuildSettings_Refused(t *testing.T) {
	t.Parallel()
	warnings := []deployment.Warning{deployment.NewWarning("version.eol", "", 0, "old"), deployment.NewWarning("start.signals", "", 0, "deaf")}
	for name, test := range map[string]struct {
		strict []string
		want   []string
	}{
		"by default none":           {nil, nil},
		"all but the good to know":  {[]string{"all"}, []string{"version.eol"}},
		"what is named, info too":   {[]string{"start.signals"}, []string{"start.signals"}},
		"all and one more":          {[]string{"all", "start.signals"}, []string{"version.eol", "start.signals"}},
		"not what another is named": {[]string{"pm.version_guess"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var codes []string
			for _, w := range (deployment.BuildSettings{Strict: test.strict}).Refused(warnings) {
				codes = append(codes, w.Code)
			}
			require.Equal(t, test.want, codes)
		})
	}
}

func TestBuildSettings_StrictNamesCodesThatAreNear(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"node.version_default": `near to it: ["node.version_defaulted"`,
		"pm.lockfiles":         `"pm.multiple_lockfiles"`,
		"versoin.eol":          `["version.eol"]`,
		"everything":           "docs/warnings.md lists them",
	} {
		p := deployment.Project{Name: "app", Build: deployment.BuildSettings{Strict: []string{"all", code}}}.WithDefaults()
		faults := p.Validate()
		require.Len(t, faults, 1, code)
		require.Equal(t, "strict[1]", faults[0].Field)
		require.Contains(t, faults[0].Fix, want)
	}
}

func TestPlan_ChangesSince(t *testing.T) {
	t.Parallel()
	before := deployment.Plan{
		Builder: deployment.BuilderNixpacks, Providers: []string{"node"}, Versions: map[string]string{"node": "22", "php": "8.3"},
		StartCommand: "node a.js", Base: "base:1",
	}
	require.Empty(t, before.ChangesSince(nil), "the first deployment of an environment")
	require.Empty(t, before.ChangesSince(&before))
	now := before
	now.Builder, now.Providers, now.Base, now.StartCommand = deployment.BuilderDockerfile, []string{"dockerfile"}, "base:2", "node b.js"
	now.Versions = map[string]string{"node": "24", "python": "3.11"}
	var said []string
	for _, w := range now.ChangesSince(&before) {
		require.Equal(t, deployment.SeverityInfo, w.Severity)
		said = append(said, w.Code+": "+w.Message)
	}
	require.Equal(t, []string{
		`change.provider: the provider is now "dockerfile dockerfile", and was "nixpacks node" in the environment's last deployment`,
		`change.version: the version of node is now "24", and was "22" in the environment's last deployment`,
		`change.start: the start command is now "node b.js", and was "node a.js" in the environment's last deployment`,
		`change.base: the base image is now "base:2", and was "base:1" in the environment's last deployment`,
	}, said)
	now.Base, now.StartCommand = "", ""
	require.Len(t, now.ChangesSince(&before), 2, "what is not known has not changed")
}

func TestPlan_DigestLeavesWarningsOut(t *testing.T) {
	t.Parallel()
	plan := deployment.Plan{Builder: deployment.BuilderStatic, Port: 80}
	plain, err := plan.Digest()
	require.NoError(t, err)
	plan.Warnings = []deployment.Warning{deployment.NewWarning("version.eol", "", 0, "old since yesterday")}
	warned, err := plan.Digest()
	require.NoError(t, err)
	require.Equal(t, plain, warned)
	require.Len(t, plan.Warnings, 1)
	plan.Port = 81
	other, err := plan.Digest()
	require.NoError(t, err)
	require.NotEqual(t, plain, other)
}
