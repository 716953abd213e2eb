package planner

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// goMain is a folder that holds a command.
type goMain struct {
	dir     string // slash path inside the source, "." for the root directory
	file    string // that has the function main
	line    int
	listens bool
}

var (
	goMainFunc    = regexp.MustCompile(`(?m)^func main\(\)`)
	goMainPackage = regexp.MustCompile(`(?m)^package main\b`)
	goIgnored     = regexp.MustCompile(`(?m)^//(?:go:build| \+build) ignore\b`)
	goListens     = regexp.MustCompile(`\bListenAndServe(?:TLS)?\(|\bnet\.Listen\(|\.Listen\(|\bhttp\.Serve\(|\.(?:Run|Start)\((?:"|os\.Getenv|fmt\.Sprint|addr|":"|\))`)
	goModule      = regexp.MustCompile(`(?m)^module[ \t]+"?([^\s"]+)`)
	goImport      = regexp.MustCompile(`(?m)^[ \t]*(?:import[ \t]+)?(?:[\w.]+[ \t]+)?"([\w.-]+\.[\w.-]+/[^"\s]+)"`)
	goNotBuilt    = regexp.MustCompile(`(?:^|/)(?:vendor|testdata|examples?|_[^/]*|node_modules)(?:/|$)`)
)

// goFiles calls visit with each file of Go of the source's own module, tests left out.
func (l *look) goFiles(visit func(name string, text []byte)) {
	seen := 0
	_ = fs.WalkDir(l.src.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxWalked {
			return fs.SkipAll
		}
		nested := entry.IsDir() && name != "." && l.src.exists(path.Join(name, "go.mod"))
		if isHidden(entry.Name()) || goNotBuilt.MatchString(name) || nested {
			return skip(entry)
		}
		if entry.Type().IsRegular() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			if text := l.read(name); !goIgnored.Match(text) {
				visit(name, text)
			}
		}
		return nil
	})
}

// goMains returns the folders that hold commands, in the order of their names.
func (l *look) goMains() (mains []goMain) {
	listening := map[string]bool{}
	l.goFiles(func(name string, text []byte) {
		dir := path.Dir(name)
		listening[dir] = listening[dir] || goListens.Match(text)
		if at := goMainFunc.FindIndex(text); at != nil && goMainPackage.Match(text) {
			mains = append(mains, goMain{dir: dir, file: name, line: lineAt(text, at[0])})
		}
	})
	for i := range mains {
		mains[i].listens = listening[mains[i].dir]
	}
	slices.SortFunc(mains, func(a, b goMain) int { return strings.Compare(a.dir, b.dir) })
	return mains
}

// goModule returns the path of the module: what go.mod says, else what the code's imports of its own folders say, else "app".
func (l *look) goModule() string {
	if named, _ := l.match("go.mod", goModule); named != nil {
		return named[1]
	}
	module := ""
	l.goFiles(func(_ string, text []byte) {
		for _, imported := range goImport.FindAllSubmatch(text, -1) {
			if own := l.moduleOf(string(imported[1])); module == "" {
				module = own
			}
		}
	})
	if module == "" {
		return "app"
	}
	return module
}

// moduleOf returns what comes before the longest end of an import that is a folder with code of the source, "" for none.
func (l *look) moduleOf(imported string) string {
	parts := strings.Split(imported, "/")
	for i := 1; i < len(parts); i++ {
		code, err := fs.Glob(l.src.FS(), path.Join(parts[i:]...)+"/*.go")
		if err == nil && len(code) > 0 {
			return strings.Join(parts[:i], "/")
		}
	}
	return ""
}

// serverNames are what a command is called that serves, in the order in which they are taken.
var serverNames = []string{"server", "web", "api", "app", "http", "httpd", "httpserver", "serve", "www", "main"}

// serverMain returns the command that serves: the one in the root directory, else the only one, else by name, else the only
// one that listens. ok is false when none of that tells.
func serverMain(mains []goMain, module string) (chosen goMain, why string, ok bool) {
	if len(mains) == 1 {
		return mains[0], "it is the only command", true
	}
	named := func(base string) int {
		return slices.IndexFunc(mains, func(m goMain) bool { return m.dir != "." && path.Base(m.dir) == base })
	}
	if i := slices.IndexFunc(mains, func(m goMain) bool { return m.dir == "." }); i >= 0 {
		return mains[i], "it lies in the root directory", true
	}
	if i := named(path.Base(module)); i >= 0 {
		return mains[i], "it has the module's name", true
	}
	for _, name := range serverNames {
		if i := named(name); i >= 0 {
			return mains[i], "of its name", true
		}
	}
	listening := slices.DeleteFunc(slices.Clone(mains), func(m goMain) bool { return !m.listens })
	if len(listening) == 1 {
		return listening[0], "it alone listens", true
	}
	return goMain{}, "", false
}
