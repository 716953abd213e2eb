package planner_test

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

// render renders a nixpacks plan given as JSON.
func render(t *testing.T, native string, change func(*deployment.Plan)) string {
	t.Helper()
	plan := &deployment.Plan{Builder: deployment.BuilderNixpacks, Port: 3000, Native: json.RawMessage(native)}
	if change != nil {
		change(plan)
	}
	dockerfile, err := planner.Render(plan)
	require.NoError(t, err)
	parse(t, dockerfile)
	return dockerfile
}

func startOf(t *testing.T, command string) []string {
	t.Helper()
	native, err := json.Marshal(map[string]any{"buildImage": "base", "start": map[string]string{"cmd": command}})
	require.NoError(t, err)
	stages := parse(t, render(t, string(native), nil))
	for _, c := range stages[len(stages)-1].Commands {
		if cmd, ok := c.(*instructions.CmdCommand); ok {
			require.False(t, cmd.PrependShell, "CMD is not in exec form")
			return cmd.CmdLine
		}
	}
	require.Fail(t, "no CMD")
	return nil
}

func TestRender_StartReplacesTheShellWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"npm run start":                     "exec npm run start",
		"./out":                             "exec ./out",
		"gunicorn -b 0.0.0.0:$PORT app:app": "exec gunicorn -b 0.0.0.0:$PORT app:app",
		"gunicorn -b 0.0.0.0:${PORT:-80} app:app":     "exec gunicorn -b 0.0.0.0:${PORT:-80} app:app",
		`serve --title "a && b" --x 'c;d' e\;f`:       `exec serve --title "a && b" --x 'c;d' e\;f`,
		`sed s/\d+/x/ "$HOME/f"`:                      `exec sed s/\d+/x/ "$HOME/f"`,
		"python manage.py migrate && gunicorn x.wsgi": "python manage.py migrate && exec gunicorn x.wsgi",
		"cd apps/web && node server.js":               "cd apps/web && exec node server.js",
		"export A=1; ./server":                        "export A=1; exec ./server",
		"./check || true; ./server":                   "./check || true; exec ./server",
		"exec node x.js":                              "exec node x.js",
		"a | b":                                       "a | b",
		"a & b":                                       "a & b",
		"a && b &":                                    "a && b &",
		"(a; b)":                                      "(a; b)",
		"{ a; b; }":                                   "{ a; b; }",
		"A=1 node x.js":                               "A=1 node x.js",
		"a > log":                                     "a > log",
		"node $(cat entry)":                           "node $(cat entry)",
		`node "$(cat entry)"`:                         `node "$(cat entry)"`,
		"node `cat entry`":                            "node `cat entry`",
		"if true; then a; fi":                         "if true; then a; fi",
		"while true; do a; done":                      "while true; do a; done",
		`[[ -z "$PORT" ]] && a || b`:                  `[[ -z "$PORT" ]] && a || b`,
		"trap 'x' TERM; a":                            "trap 'x' TERM; a",
		"a && cd b":                                   "a && cd b",
		". ./env && source x":                         ". ./env && source x",
		"a;":                                          "a;",
		`a "unfinished`:                               `a "unfinished`,
	}
	for command, want := range tests {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{"/bin/bash", "-lc", want}, startOf(t, command))
		})
	}
}

// The same commands, run: a signal to the process that Docker would signal has to reach the app.
func TestRender_SignalsReachTheApp(t *testing.T) {
	t.Parallel()
	const app = `sh -c 'echo "app $$"'`
	for _, command := range []string{app, "true && " + app, "cd / && false || " + app, "export A=1; " + app} {
		args := startOf(t, command)
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "app "+strconv.Itoa(cmd.Process.Pid), "the app has a process of its own after %q", command)
	}
}

func TestRender_KeepsTheOrderOfPhases(t *testing.T) {
	t.Parallel()
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}, "phases": {
		"a-last": {"dependsOn": ["build", "nowhere"], "cmds": ["echo 4"]},
		"build": {"dependsOn": ["install"], "cmds": ["echo 3"]},
		"install": {"dependsOn": ["setup"], "cmds": ["echo 2"]},
		"setup": {"cmds": ["echo 1"]}}}`, nil)
	require.Regexp(t, `(?s)RUN echo 1\n.*RUN echo 2\n.*RUN echo 3\n.*RUN echo 4\n`, dockerfile)
}

func TestRender_SecretsAreMountedWhereCodeRuns(t *testing.T) {
	t.Parallel()
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}, "phases": {
		"setup": {"cmds": ["echo setup"]}, "python:setup": {"cmds": ["echo setup"]},
		"install": {"dependsOn": ["setup", "python:setup"], "cmds": ["echo install"]},
		"python:install": {"dependsOn": ["install"], "cmds": ["echo python"]}}}`,
		func(p *deployment.Plan) { p.SecretNames = []string{"TOKEN"} })
	const mount = "--mount=type=secret,id=TOKEN,env=TOKEN \\\n    "
	require.Contains(t, dockerfile, "RUN echo setup\n")
	require.NotContains(t, dockerfile, mount+"echo setup")
	require.Contains(t, dockerfile, "RUN "+mount+"echo install\n")
	require.Contains(t, dockerfile, "RUN "+mount+"echo python\n")
	require.NotContains(t, dockerfile, "ARG")
	require.NotContains(t, dockerfile, "ENV TOKEN")
}

func TestRender_CopiesWhatAPhaseAsksFor(t *testing.T) {
	t.Parallel()
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}, "phases": {
		"setup": {"cmds": ["echo 1"], "onlyIncludeFiles": []},
		"install": {"dependsOn": ["setup"], "cmds": ["echo 2"], "onlyIncludeFiles": ["package.json", "./patches", "conf/*.json"]},
		"build": {"dependsOn": ["install"], "cmds": ["echo 3"]},
		"lint": {"dependsOn": ["build"], "cmds": ["echo 4"], "onlyIncludeFiles": ["x"]}}}`, nil)
	require.Regexp(t, `(?s)# setup\nRUN echo 1\n\n`+
		`# install\nCOPY \["package.json", "/app/package.json"\]\nCOPY \["./patches", "/app/patches"\]\nCOPY \["conf/\*.json", "/app/conf/"\]\nRUN echo 2\n\n`+
		`# build\nCOPY . /app\nRUN echo 3\n\n`+
		`# lint\nRUN echo 4\n\n`+
		`# start\nEXPOSE`, dockerfile)
}

func TestRender_ValuesOfVariablesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"PLAIN": "x", "EMPTY": "", "SPACES": " a b ", "QUOTES": `say "hi" 'there'`, "DOLLAR": "$HOME ${PATH} $$", "BACKSLASH": `C:\new\`,
		"HASH": "# no comment", "UNICODE": "é", "JSON": `{"a": ["b"]}`,
	}
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}}`, func(p *deployment.Plan) { p.Variables = want })
	got := map[string]string{}
	for _, command := range parse(t, dockerfile)[0].Commands {
		env, ok := command.(*instructions.EnvCommand)
		if !ok {
			continue
		}
		for _, pair := range env.Env {
			value, _, err := shell.NewLex('\\').ProcessWord(pair.Value, shell.EnvsFromSlice([]string{"HOME=/host", "PATH=/host"}))
			require.NoError(t, err)
			got[pair.Key] = value
		}
	}
	require.Equal(t, want, got)
}

func TestRender_AssetsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	content := "first $HOME \\\nSLIPWAY_EOF\n# third\nSLIPWAY_EOF_1\n"
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}}`, func(p *deployment.Plan) {
		p.Assets = map[string]string{"conf/site.txt": content}
	})
	for _, command := range parse(t, dockerfile)[0].Commands {
		if c, ok := command.(*instructions.CopyCommand); ok && len(c.SourceContents) > 0 {
			require.Equal(t, content, c.SourceContents[0].Data)
			require.False(t, c.SourceContents[0].Expand)
			require.Equal(t, "/assets/conf/site.txt", c.DestPath)
			return
		}
	}
	require.Fail(t, "the asset is not copied")
}

func TestRender_NixPackagesByTheirArchive(t *testing.T) {
	t.Parallel()
	dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "./x"}, "phases": {
		"setup": {"nixPkgs": ["nodejs"], "nixpkgsArchive": "bbb"},
		"python:setup": {"nixPkgs": ["python3"], "nixLibs": ["zlib"], "nixpkgsArchive": "aaa"},
		"caddy": {"nixPkgs": ["caddy"], "nixpkgsArchive": "bbb"}}}`, nil)
	require.Regexp(t, `(?s)archive/aaa.*makeLibraryPath \[ zlib \].*paths = \[ profile python3 \].*nix-env -if /tmp/nixpkgs-aaa.nix.*`+
		`archive/bbb.*paths = \[ profile caddy nodejs \].*nix-env -if /tmp/nixpkgs-bbb.nix`, dockerfile)
}

func TestRender_NpmStartsTheAppInAShellThatBecomesIt(t *testing.T) {
	t.Parallel()
	const env = `ENV NPM_CONFIG_SCRIPT_SHELL="/bin/bash"`
	for command, want := range map[string]bool{
		"npm run start": true, "npm start": true, "cd web && npm  run serve": true, "node npm.js": false, "pnpm run start": false,
	} {
		dockerfile := render(t, `{"buildImage": "base", "start": {"cmd": "`+command+`"}}`, nil)
		require.Equal(t, want, strings.Contains(dockerfile, env), command)
	}
	own := func(p *deployment.Plan) { p.Variables = map[string]string{"NPM_CONFIG_SCRIPT_SHELL": "/bin/zsh"} }
	require.NotContains(t, render(t, `{"buildImage": "base", "start": {"cmd": "npm start"}}`, own), env)
}

func TestRender_RefusesASecretThatIsNoVariable(t *testing.T) {
	t.Parallel()
	plan := &deployment.Plan{
		Builder: deployment.BuilderNixpacks, Native: json.RawMessage(`{"buildImage": "base", "start": {"cmd": "x"}}`),
		SecretNames: []string{"A,target=/etc/passwd"},
	}
	_, err := planner.Render(plan)
	requireFailure(t, err, deployment.ClassUser, "plan.unsafe_value")
}

func TestRender_WithoutRights(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"package.json": `{"scripts":{"start":"node a.js"}}`})
	project := deployment.Project{Build: deployment.BuildSettings{NonRoot: true}}
	plan, dockerfile, err := newPlanner(t).Plan(t.Context(), checkout, project, nil)
	require.NoError(t, err)
	require.True(t, plan.NonRoot)
	require.Contains(t, dockerfile, "useradd --create-home slipway) && chown slipway /app\nRUN chmod a+x /root && ")
	require.Contains(t, dockerfile, "\nUSER slipway\n")
	parse(t, dockerfile)
}
