package planner

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var (
	goBuildOut = regexp.MustCompile(`^go build -o out(?: (\S+))?$`)
	goRun      = regexp.MustCompile(`^go run (?:-\S+ )*(\S+)\s*(.*)$`)
	programRun = regexp.MustCompile(`^(?:\./)?((?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+)(\s.*)?$`)
)

// goMain builds the command that serves, in a module if there is none, and starts what is built where the Procfile calls it
// by a name that nothing builds.
func (r *repairs) goMain() bool {
	built := goBuildOut.FindStringSubmatch(strings.TrimSpace(r.native.command("build")))
	if !r.provides("go") || built == nil && r.native.command("build") != "" || r.ownBuild() || r.native.Variables["NIXPACKS_GO_BIN"] != "" {
		return false
	}
	mains := r.goMains()
	if len(mains) == 0 {
		return false
	}
	module := r.goModule()
	chosen, why, ok := serverMain(mains, module)
	start, line := "", 0
	if r.starts() != "" && r.starts() != "./out" {
		var called goMain
		if called, start, line = r.goProgram(mains, module); start == "" {
			return false
		}
		chosen, why, ok = called, "the Procfile calls it", true
	}
	if !ok {
		r.fault = severalCommands(mains)
		return true
	}
	return r.buildGo(chosen, module, why, start, line, built)
}

// buildGo changes the plan to build the chosen command as out and to start it.
func (r *repairs) buildGo(chosen goMain, module, why, start string, line int, built []string) bool {
	target, command := ".", "go build -o out"
	if chosen.dir != "." {
		target = "./" + chosen.dir
		command += " " + target
	}
	hasModule := r.src.exists("go.mod")
	same := built != nil && path.Clean(built[1]) == path.Clean(target)
	if hasModule && same && start == "" {
		return false // nixpacks builds the same
	}
	commands := []string{command}
	if !hasModule {
		commands = []string{"go mod init " + module, "go mod tidy", strings.Replace(command, "build", "build -mod=mod", 1)}
	}
	r.setPhase("build", phaseChange{Cmds: &commands, DependsOn: &[]string{"install", "setup"}})
	file, at := chosen.file, chosen.line
	if start != "" {
		r.change.Start = &startChange{Cmd: start}
		file, at = "Procfile", line
	}
	r.say("repair.go_main", file, at, r.goFix(chosen, module, start, hasModule),
		"the command in %q is built and started as ./out, because %s", chosen.dir, why+withoutModule(hasModule))
	return true
}

func withoutModule(hasModule bool) string {
	if hasModule {
		return ""
	}
	return "; there is no go.mod, so one is made and has the newest version of every package"
}

func (r *repairs) goFix(chosen goMain, module, start string, hasModule bool) string {
	fix := ""
	switch {
	case !hasModule:
		fix = "run `go mod init " + module + "` and `go mod tidy` and commit go.mod and go.sum"
	case start != "":
		fix = `write "web: ` + start + `" into the Procfile`
	case strings.HasPrefix(chosen.dir, "cmd/"):
		fix = `set NIXPACKS_GO_BIN = "` + path.Base(chosen.dir) + `" below [variables] in nixpacks.toml`
	default:
		fix = `set build_command to "go build -o out ./` + chosen.dir + `"`
	}
	return fix + " to keep this, or set repairs to off"
}

// goProgram returns the command that the start command calls by a name, and the start command with what is built in its
// place; nothing when it calls something else.
func (r *repairs) goProgram(mains []goMain, module string) (called goMain, start string, line int) {
	_, line = r.match("Procfile", regexp.MustCompile(`(?m)^[a-z]+:\s*(`+regexp.QuoteMeta(r.starts())+`)\s*$`))
	if line == 0 || strings.ContainsAny(r.starts(), "&|;<>`") {
		return goMain{}, "", 0
	}
	if run := goRun.FindStringSubmatch(r.starts()); run != nil {
		dir := path.Clean(run[1])
		if strings.HasSuffix(dir, ".go") {
			dir = path.Dir(dir)
		}
		return pick(mains, func(m goMain) bool { return m.dir == dir }, "./out "+run[2], line)
	}
	run := programRun.FindStringSubmatch(r.starts())
	if run == nil || r.src.exists(run[1]) {
		return goMain{}, "", 0
	}
	name, local := path.Base(run[1]), strings.Contains(r.starts()[:len(r.starts())-len(run[2])], "/")
	return pick(mains, func(m goMain) bool {
		byName := m.dir != "." && path.Base(m.dir) == name
		byModule := path.Base(module) == name && (m.dir == "." || len(mains) == 1)
		return byName || byModule || local && len(mains) == 1
	}, "./out"+run[2], line)
}

func pick(mains []goMain, match func(goMain) bool, start string, line int) (goMain, string, int) {
	i := slices.IndexFunc(mains, match)
	if i < 0 {
		return goMain{}, "", 0
	}
	return mains[i], strings.TrimSpace(start), line
}

func severalCommands(mains []goMain) error {
	var dirs []string
	for _, m := range mains {
		dirs = append(dirs, fmt.Sprintf("%q", m.dir))
	}
	return deployment.UserFailure("plan.several_commands",
		`set the project's build_command, e.g. "go build -o out ./`+mains[0].dir+`", NIXPACKS_GO_BIN below [variables] in nixpacks.toml, `+
			"or name the command in a Procfile; repairs off builds the first by name",
		"the repository has the commands %s, and neither a name nor what they do tells which one serves", strings.Join(dirs, ", "))
}

// goWithoutModule reports whether the source is an app of Go's that nixpacks does not recognise: it has neither go.mod nor main.go.
func goWithoutModule(src *source) bool {
	l := &look{src: src}
	root := func(m goMain) bool { return m.dir == "." || strings.HasPrefix(m.dir, "cmd/") }
	return slices.ContainsFunc(l.goMains(), func(m goMain) bool { return root(m) && m.listens })
}
