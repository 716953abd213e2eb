package deployment_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var schemes = []string{"https", "ssh"}

func TestValidateRepoURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://git.example.com/team/app.git", "ssh://git@git.example.com/team/app.git", "git@git.example.com:team/app.git", "https://git.example.com:8443/app",
	} {
		require.Nil(t, deployment.ValidateRepoURL(good, schemes), good)
	}
	for bad, fault := range map[string]string{
		"":                                      "is empty",
		"file:///etc/passwd":                    "scheme",
		"ext::sh -c id":                         "not a URL",
		"http://169.254.169.254/":               `scheme "http"`,
		"git@git.example.com:-oProxyCommand=x":  "option",
		"git@git.example.com:":                  "not a URL",
		"git.example.com:team/app.git":          "scheme",
		"https://user:secret@git.example.com/a": "credentials",
		"https://token@git.example.com/a":       "credentials",
		"https:///no-host":                      "no host",
		"-oProxyCommand=id":                     "not a URL",
		"/local/path":                           "not a URL",
		"https://git.example.com/a\nb":          "not a URL",
		"https://git.example.com/a?x=1":         "query",
		"https://" + strings.Repeat("a", 3000):  "characters",
	} {
		f := deployment.ValidateRepoURL(bad, schemes)
		require.NotNil(t, f, bad)
		require.Contains(t, f.Fault, fault, bad)
		require.Equal(t, "repo_url", f.Field)
		require.NotEmpty(t, f.Fix)
		require.NotContains(t, f.Error(), "secret")
	}
}

func TestValidateRootDir(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", ".", "apps/web", "apps/../web", "a b"} {
		require.Nil(t, deployment.ValidateRootDir(good), good)
	}
	for _, bad := range []string{"..", "../..", "apps/../../x", "/etc", `a\b`, "a\x00b", strings.Repeat("a", 600)} {
		require.NotNil(t, deployment.ValidateRootDir(bad), bad)
	}
}

func TestValidateRef(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("a1", 20)
	for _, good := range []deployment.Ref{
		{},
		{Kind: deployment.RefBranch, Name: "feature/x"},
		{Kind: deployment.RefTag, Name: "v1.2.3"},
		{Kind: deployment.RefCommit, Name: full},
		{Kind: deployment.RefCommit, Name: full[:7]},
	} {
		require.Nil(t, deployment.ValidateRef(good), good.Name)
	}
	for _, bad := range []deployment.Ref{
		{Kind: deployment.RefBranch, Name: "-upload-pack=x"},
		{Kind: deployment.RefBranch, Name: ""},
		{Kind: deployment.RefBranch, Name: "a..b"},
		{Kind: deployment.RefBranch, Name: "a b"},
		{Kind: deployment.RefTag, Name: "x.lock"},
		{Kind: deployment.RefTag, Name: "a@{1}"},
		{Kind: deployment.RefCommit, Name: "HEAD"},
		{Kind: deployment.RefCommit, Name: full + "0"},
		{Kind: deployment.RefCommit, Name: full[:6]},
	} {
		f := deployment.ValidateRef(bad)
		require.NotNil(t, f, bad.Name)
		require.Equal(t, string(bad.Kind), f.Field)
	}
}

func TestValidateEnvVar(t *testing.T) {
	t.Parallel()
	require.Nil(t, deployment.ValidateEnvVar(0, deployment.EnvVar{Name: "DATABASE_URL", Value: "x", Target: deployment.TargetBoth}))
	for field, bad := range map[string]deployment.EnvVar{
		"vars[2].name":   {Name: "PORT", Target: deployment.TargetBoth},
		"vars[2].name ":  {Name: "SLIPWAY_X", Target: deployment.TargetBoth},
		"vars[2].name  ": {Name: "1A", Target: deployment.TargetBoth},
		"vars[2].value":  {Name: "A", Value: strings.Repeat("x", deployment.MaxEnvValueBytes+1), Target: deployment.TargetBoth},
		"vars[2].target": {Name: "A", Target: "all"},
	} {
		f := deployment.ValidateEnvVar(2, bad)
		require.NotNil(t, f, bad.Name)
		require.Equal(t, strings.TrimSpace(field), f.Field)
	}
}

func TestProject_ValidateReportsEveryFault(t *testing.T) {
	t.Parallel()
	good := deployment.Project{Name: "app", RepoURL: "https://git.example.com/app.git"}.WithDefaults()
	require.Empty(t, good.Validate())
	bad := good
	bad.Name, bad.RootDir, bad.Port, bad.BuildCommand = strings.Repeat("n", 5000), "../..", 70000, "a\nFROM scratch"
	var fields []string
	for _, f := range bad.Validate() {
		fields = append(fields, f.Field)
	}
	require.ElementsMatch(t, []string{"name", "root_dir", "port", "build_command"}, fields)
}

func TestBuildSettings_ValidateNamesTheField(t *testing.T) {
	t.Parallel()
	good := deployment.BuildSettings{
		Dockerfile: deployment.DockerfileSettings{Path: "deploy/Dockerfile.web", Target: "web", BuildArgs: map[string]string{"MODE": "a=b"}},
		Static: deployment.StaticSettings{Folder: "build/site", Headers: []deployment.StaticHeader{
			{Path: "/assets/*", Name: "Cache-Control", Value: "no-store"}, {Path: "/*", Name: "X-Frame-Options", Value: "DENY"},
		}},
		Strict: []string{"node.version_defaulted", deployment.StrictAll}, NonRoot: true,
	}.WithDefaults()
	project := deployment.Project{Name: "app", Build: good}.WithDefaults()
	require.Empty(t, project.Validate())
	for field, spoil := range map[string]func(*deployment.BuildSettings){
		"dockerfile.path":                   func(s *deployment.BuildSettings) { s.Dockerfile.Path = "../Dockerfile" },
		"dockerfile.path ":                  func(s *deployment.BuildSettings) { s.Dockerfile.Path = "/etc/Dockerfile" },
		"dockerfile.target":                 func(s *deployment.BuildSettings) { s.Dockerfile.Target = "a b" },
		"dockerfile.build_args.1X":          func(s *deployment.BuildSettings) { s.Dockerfile.BuildArgs = map[string]string{"1X": ""} },
		"dockerfile.build_args.BUILDKIT_NS": func(s *deployment.BuildSettings) { s.Dockerfile.BuildArgs = map[string]string{"BUILDKIT_NS": ""} },
		"static.folder":                     func(s *deployment.BuildSettings) { s.Static.Folder = "a\nb" },
		"static.headers[0].path": func(s *deployment.BuildSettings) {
			s.Static.Headers = []deployment.StaticHeader{{Path: "x", Name: "A"}}
		},
		"static.headers[0].name": func(s *deployment.BuildSettings) {
			s.Static.Headers = []deployment.StaticHeader{{Path: "/", Name: "A B"}}
		},
		"static.headers[0].value": func(s *deployment.BuildSettings) {
			s.Static.Headers = []deployment.StaticHeader{{Path: "/", Name: "A", Value: "\r\nB: c"}}
		},
		"strict[0]":     func(s *deployment.BuildSettings) { s.Strict = []string{"everything"} },
		"repairs":       func(s *deployment.BuildSettings) { s.Repairs = "some" },
		"build_network": func(s *deployment.BuildSettings) { s.Network = "host" },
		"provenance":    func(s *deployment.BuildSettings) { s.Provenance = "full" },
	} {
		bad := project
		spoil(&bad.Build)
		faults := bad.Validate()
		require.Len(t, faults, 1, field)
		require.Equal(t, strings.TrimSpace(field), faults[0].Field)
		require.NotEmpty(t, faults[0].Fix)
	}
}

func TestProject_RailpackTakesNoSettingsThatItCannotKeep(t *testing.T) {
	t.Parallel()
	project := deployment.Project{Name: "app", Builder: deployment.BuilderRailpack, BuildCommand: "make", StartCommand: "./app"}.WithDefaults()
	require.Empty(t, project.Validate())
	project.InstallCommand = "npm ci"
	project.Build.Static.Folder, project.Build.Network = "dist", deployment.BuildNetworkNone
	project.Build.Reproducible, project.Build.NonRoot = true, true
	var fields []string
	for _, f := range project.Validate() {
		fields = append(fields, f.Field)
		require.Contains(t, f.Error(), "railpack")
	}
	require.Equal(t, []string{"install_command", "static.folder", "build_network", "reproducible", "non_root"}, fields)
}
