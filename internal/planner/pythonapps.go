package planner

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// pythonApp is an object of a web framework in the code, as a server is told of it.
type pythonApp struct {
	file     string
	line     int
	name     string // of the framework
	async    bool   // it speaks ASGI, else WSGI
	variable string // or a call that returns the app
}

// pythonFrameworks are how apps are made, on a line that is not indented.
var pythonFrameworks = []struct {
	name, distribution string
	async              bool
	made               *regexp.Regexp // group 1 is the variable
}{
	{"Flask", "flask", false, regexp.MustCompile(`(?m)^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:flask\.)?Flask\(`)},
	{"FastAPI", "fastapi", true, regexp.MustCompile(`(?m)^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:fastapi\.)?FastAPI\(`)},
	{"Starlette", "starlette", true, regexp.MustCompile(`(?m)^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:starlette\.applications\.)?Starlette\(`)},
	{"Django", "django", false, regexp.MustCompile(`(?m)^(\w+)\s*=\s*get_wsgi_application\(\)`)},
	{"Django", "django", true, regexp.MustCompile(`(?m)^(\w+)\s*=\s*get_asgi_application\(\)`)},
}

var (
	factoryCall = regexp.MustCompile(`(?m)^(\w+)\s*=\s*(?:\w+\.)?(?:create|make|get)_app\(`)
	factory     = regexp.MustCompile(`(?m)^def ((?:create|make)_app)\(\s*(?:[\w: .|\[\]]+=[^()]*)?\)`)
	madeInside  = regexp.MustCompile(`(?m)^[ \t]+\w+\s*=\s*(?:flask\.|fastapi\.)?(Flask|FastAPI)\(`)
)

// entryNames are what a web app's module is called, in the order in which they are taken.
var entryNames = []string{"wsgi.py", "asgi.py", "main.py", "app.py", "server.py", "application.py", "api.py", "run.py", "web.py", "index.py", "__init__.py"}

// pythonApp returns the app that the code makes, nil when there is none or it is not plain which one.
func (r *repairs) pythonApp() *pythonApp {
	var found []pythonApp
	for _, file := range r.pythonFiles() {
		if app := r.appIn(file); app != nil {
			found = append(found, *app)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortStableFunc(found, func(a, b pythonApp) int { return entryRank(a.file) - entryRank(b.file) })
	if len(found) > 1 && entryRank(found[0].file) == entryRank(found[1].file) {
		return nil
	}
	return &found[0]
}

// entryRank is lower for what is rather the app's entry: an upper folder before a name.
func entryRank(file string) int {
	rank := slices.Index(entryNames, path.Base(file))
	if rank < 0 {
		rank = len(entryNames)
	}
	return strings.Count(file, "/")*100 + rank
}

var notTheApp = regexp.MustCompile(`(?:^|/)(?:tests?|docs|examples?|samples|scripts|migrations|node_modules|venv|env|site-packages|conftest\.py|test_[^/]*|[^/]*_test\.py)(?:/|$)`)

// pythonFiles are those of the root directory and of two levels of folders below it.
func (r *repairs) pythonFiles() (files []string) {
	seen := 0
	_ = fs.WalkDir(r.src.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxWalked {
			return fs.SkipAll
		}
		if isHidden(entry.Name()) || notTheApp.MatchString(name) || entry.IsDir() && strings.Count(name, "/") > 1 {
			return skip(entry)
		}
		if entry.Type().IsRegular() && strings.HasSuffix(name, ".py") {
			files = append(files, name)
		}
		return nil
	})
	return files
}

// appIn returns the app that a file makes: of several the one that is called app or application, else the first.
func (r *repairs) appIn(file string) *pythonApp {
	text := r.read(file)
	var found []pythonApp
	for _, framework := range pythonFrameworks {
		for _, at := range framework.made.FindAllSubmatchIndex(text, -1) {
			variable := string(text[at[2]:at[3]])
			found = append(found, pythonApp{file: file, line: lineAt(text, at[2]), name: framework.name, async: framework.async, variable: variable})
		}
	}
	for _, wanted := range []string{"app", "application"} {
		if i := slices.IndexFunc(found, func(a pythonApp) bool { return a.variable == wanted }); i >= 0 {
			return &found[i]
		}
	}
	if len(found) > 0 {
		return &found[0]
	}
	return r.factoryIn(file, text)
}

// factoryIn returns the app that a file gets from a factory, or the factory itself where it needs no arguments.
func (r *repairs) factoryIn(file string, text []byte) *pythonApp {
	if at := factoryCall.FindSubmatchIndex(text); at != nil {
		app := &pythonApp{file: file, line: lineAt(text, at[2]), variable: string(text[at[2]:at[3]])}
		for _, name := range []string{"Flask", "FastAPI"} {
			if r.requires(strings.ToLower(name)) && app.name == "" {
				app.name, app.async = name, name == "FastAPI"
			}
		}
		if app.name != "" {
			return app
		}
	}
	at, inside := factory.FindSubmatchIndex(text), madeInside.FindSubmatch(text)
	if at == nil || inside == nil {
		return nil
	}
	name := string(inside[1])
	return &pythonApp{file: file, line: lineAt(text, at[2]), name: name, async: name == "FastAPI", variable: string(text[at[2]:at[3]]) + "()"}
}

// module returns what a server is told: the folder to run in, "." for the root, and the module.
func (a pythonApp) module(src *source) (folder, module string) {
	folder = path.Dir(a.file)
	module = strings.TrimSuffix(path.Base(a.file), ".py")
	if module == "__init__" {
		module, folder = path.Base(folder), path.Dir(folder)
	}
	packaged := func(dir string) bool { return src.exists(path.Join(dir, "__init__.py")) }
	if folder != "." && !packaged(folder) { // a folder may be a package by how it is imported
		data, err := src.read(a.file)
		name := regexp.QuoteMeta(path.Base(folder))
		if err == nil && regexp.MustCompile(`(?m)^\s*(?:from\s+(?:`+name+`\b|\.)|import\s+`+name+`\b)`).Match(data) {
			return path.Dir(folder), path.Base(folder) + "." + module
		}
	}
	for folder != "." && packaged(folder) {
		module, folder = path.Base(folder)+"."+module, path.Dir(folder)
	}
	return folder, module
}
