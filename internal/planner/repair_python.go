package planner

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Versions of the servers that a repair installs: the newest that every Python from 3.8 on runs.
const (
	gunicornPin = "gunicorn==23.0.0"
	uvicornPin  = "uvicorn==0.33.0"
)

var (
	pythonGuess   = regexp.MustCompile(`^python (?:main\.py|-m ([\w.-]+))$`)
	pythonServers = regexp.MustCompile(`(?:^|&& |exec |\s)(gunicorn|uvicorn)\s`)
)

// pythonStart starts a web app for which nixpacks found no command, or only guessed one from the name of a file or of the
// project, and installs the server that a start command runs and nothing brings.
func (r *repairs) pythonStart() bool {
	if !r.provides("python") || !strings.Contains(r.native.command("install"), "/opt/venv") {
		return false
	}
	if r.starts() != "" && (r.ownStart() || !r.guessedWrong()) {
		return r.installServer()
	}
	app := r.pythonApp()
	if app == nil || !r.requires(strings.ToLower(app.name)) {
		return false
	}
	server, pin := "gunicorn", gunicornPin
	if app.async {
		server, pin = "uvicorn", uvicornPin
	}
	missing := !r.brings(server)
	if missing && r.project.InstallCommand != "" {
		return false
	}
	start := app.start(r.src)
	r.change.Start = &startChange{Cmd: start}
	fix := `write "web: ` + start + `" into a Procfile, or set start_command, to keep this`
	installs := ""
	if missing {
		r.installs(pin)
		installs = ", and " + pin + " is installed"
		fix += "; add " + pin + " to " + r.pythonManifest()
	}
	r.say("repair.python_start", app.file, app.line, fix+"; set repairs to off to have it left alone",
		"%s is a %s app and nothing starts it, so %s serves it on PORT%s", app.variable, app.name, server, installs)
	return true
}

// start is the command that serves the app. Where the module does not lie in the root directory, the server changes to it.
func (a pythonApp) start(src *source) string {
	folder, module := a.module(src)
	target, options := module+":"+a.variable, ""
	if strings.HasSuffix(a.variable, "()") {
		if a.async {
			target, options = strings.TrimSuffix(target, "()"), " --factory"
		} else {
			target = `"` + target + `"`
		}
	}
	if a.async {
		if folder != "." {
			options += " --app-dir " + folder
		}
		return "uvicorn --host 0.0.0.0 --port $PORT" + options + " " + target
	}
	if folder != "." {
		options += " --chdir " + folder
	}
	return "gunicorn --bind 0.0.0.0:$PORT" + options + " " + target
}

// guessedWrong reports whether what nixpacks starts, because of its name alone, certainly serves nobody: a module that does
// not exist, or one that makes an app and does not run it, or runs it where nobody outside reaches it.
func (r *repairs) guessedWrong() bool {
	guess := pythonGuess.FindStringSubmatch(r.starts())
	if guess == nil {
		return false
	}
	if module := guess[1]; module != "" {
		files := []string{module + ".py", module + "/__main__.py", "src/" + module + "/__main__.py"}
		return !slices.ContainsFunc(files, r.src.exists)
	}
	call := r.pythonRun("main.py")
	if call == nil {
		return r.appIn("main.py") != nil
	}
	return call.alone && r.unreachable(*call) != ""
}

// installServer installs the server that a start command runs and that nothing brings.
func (r *repairs) installServer() bool {
	call := pythonServers.FindStringSubmatch(r.starts() + " ")
	if call == nil || r.brings(call[1]) || r.project.InstallCommand != "" {
		return false
	}
	pin := gunicornPin
	if call[1] == "uvicorn" {
		pin = uvicornPin
	}
	r.installs(pin)
	manifest := r.pythonManifest()
	r.say("repair.python_start", manifest, 0, "add "+pin+" to "+manifest+"; set repairs to off to have it left alone",
		"the start command runs %s, which %s does not bring, so %s is installed", call[1], manifest, pin)
	return true
}

// installs adds a phase after the install: whatever installs the rest, the server is there.
func (r *repairs) installs(pin string) {
	r.setPhase("server:install", phaseChange{
		DependsOn: &[]string{"install"}, Cmds: &[]string{". /opt/venv/bin/activate && pip install " + pin},
	})
}

var pythonRequirements = []string{"requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "setup.cfg"}

// pythonManifest is where the app's requirements are written.
func (r *repairs) pythonManifest() string { return r.oneOf(pythonRequirements...) }

// requires reports whether the app's requirements name a distribution.
func (l *look) requires(distribution string) bool {
	name := regexp.MustCompile(`(?im)(?:^|["'\s,\[])` + distribution + `\b`)
	return slices.ContainsFunc(l.requirements(), name.MatchString)
}

// requirements returns the texts of the files in which the app's requirements are written, and of those that these name with -r.
func (l *look) requirements() (texts []string) {
	at := &source{Root: l.src.Root}
	dir := "."
	if a := l.src.around; a != nil {
		at, dir = a.root, a.app
	}
	var files []string
	for _, file := range pythonRequirements {
		files = append(files, path.Join(dir, file))
	}
	for i := 0; i < len(files) && len(files) < maxBeside; i++ {
		data, err := at.read(files[i])
		if err != nil {
			continue
		}
		texts = append(texts, string(data))
		for _, other := range otherRequirements.FindAllSubmatch(data, -1) {
			if file := path.Join(path.Dir(files[i]), string(other[1])); !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return texts
}

var otherRequirements = regexp.MustCompile(`(?m)^(?:-r|--requirement)[ =]?[ \t]*([A-Za-z0-9._/+-]+)`)

// brings reports whether the requirements bring a server.
func (l *look) brings(server string) bool {
	return slices.ContainsFunc(l.requirements(), func(text string) bool {
		text = strings.ToLower(text)
		return strings.Contains(text, server) || server == "uvicorn" && (strings.Contains(text, "fastapi[standard]") || strings.Contains(text, "fastapi[all]"))
	})
}
