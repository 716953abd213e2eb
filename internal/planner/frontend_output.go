package planner

import (
	"cmp"
	"encoding/json"
	"path"
	"regexp"
	"strings"
)

// output returns what a build script makes with a tool. It answers false where that is not certain.
func (f frontEnd) output(src *source, script string) (made output, ok bool) {
	if !f.build.MatchString(script) || strings.Contains(script, "--ssr") || strings.Contains(script, "--config") {
		return output{}, false
	}
	config := f.config(src)
	if f.refuses != nil && f.refuses.MatchString(config) || f.needs != nil && !f.needs.MatchString(config) {
		return output{}, false
	}
	made = output{folder: f.folder, spa: f.spa}
	switch {
	case f.find != nil:
		made, ok = f.find(f, config, script)
	default:
		made.folder, ok = f.named(config, script)
	}
	if !ok {
		return output{}, false
	}
	made.folder, ok = insideFolder(made.folder)
	return made, ok
}

// named returns the folder that the script, else the configuration names.
func (f frontEnd) named(config, script string) (folder string, ok bool) {
	folder = f.folder
	if f.key != "" && strings.Contains(config, f.key) {
		named := regexp.MustCompile(`\b` + f.key + `\s*:\s*['"]([^'"]+)['"]`).FindStringSubmatch(config)
		if named == nil {
			return "", false
		}
		folder = named[1]
	}
	if f.flag != nil {
		if named := f.flag.FindStringSubmatch(script); named != nil {
			folder = named[1]
		}
	}
	return folder, true
}

func (f frontEnd) config(src *source) string {
	for _, name := range f.configs {
		if data, err := src.read(name); err == nil {
			return string(data)
		}
	}
	return ""
}

var (
	otherAdapter   = regexp.MustCompile(`adapter-(?:auto|node|vercel|netlify|cloudflare)`)
	sveltePages    = regexp.MustCompile(`\bpages\s*:\s*['"]([^'"]+)['"]`)
	svelteFallback = regexp.MustCompile(`\bfallback\s*:\s*(?:['"]([^'"]+)['"])?`)
)

// svelteOutput reads the options of adapter-static. Of the names of a fallback page only those that mean something here count.
func svelteOutput(_ frontEnd, config, _ string) (output, bool) {
	if !strings.Contains(config, "adapter-static") || otherAdapter.MatchString(config) {
		return output{}, false
	}
	made := output{folder: "build"}
	if named := sveltePages.FindStringSubmatch(config); named != nil {
		made.folder = named[1]
	} else if strings.Contains(config, "pages:") {
		return output{}, false
	}
	if named := svelteFallback.FindStringSubmatch(config); named != nil {
		made.spa = named[1] == "index.html"
		return made, made.spa || named[1] == "404.html"
	}
	return made, true
}

// angularWorkspace is what is read of an angular.json.
type angularWorkspace struct {
	DefaultProject string `json:"defaultProject"`
	Projects       map[string]struct {
		ProjectType string                   `json:"projectType"`
		Architect   map[string]angularTarget `json:"architect"`
		Targets     map[string]angularTarget `json:"targets"`
	} `json:"projects"`
}

type angularTarget struct {
	Builder string `json:"builder"`
	Options struct {
		OutputPath json.RawMessage `json:"outputPath"`
		SSR        any             `json:"ssr"`
		Server     any             `json:"server"`
	} `json:"options"`
}

var (
	angularProject = regexp.MustCompile(`\bng build\s+([A-Za-z0-9@/._][A-Za-z0-9@/._-]*)`)
	angularFlag    = regexp.MustCompile(`--output-path[= ]+(\S+)`)
)

// angularOutput returns where the application builder, or the browser builder before it, puts the files of the one application.
func angularOutput(_ frontEnd, config, script string) (output, bool) {
	var w angularWorkspace
	if json.Unmarshal([]byte(config), &w) != nil {
		return output{}, false
	}
	name := w.DefaultProject
	if named := angularProject.FindStringSubmatch(script); named != nil {
		name = named[1]
	}
	for candidate, p := range w.Projects {
		if name == "" && (len(w.Projects) == 1 || p.ProjectType == "application" && w.applications() == 1) {
			name = candidate
		}
	}
	project, ok := w.Projects[name]
	target := project.Architect["build"]
	if target.Builder == "" {
		target = project.Targets["build"]
	}
	if !ok || given(target.Options.SSR) || given(target.Options.Server) {
		return output{}, false
	}
	base, browser, ok := target.paths(name)
	if named := angularFlag.FindStringSubmatch(script); named != nil {
		base = named[1]
	}
	return output{folder: path.Join(base, browser), spa: true}, ok
}

func (w angularWorkspace) applications() (n int) {
	for _, p := range w.Projects {
		if p.ProjectType == "application" {
			n++
		}
	}
	return n
}

// paths returns the folder of all that is built, and below it that of what browsers load.
func (t angularTarget) paths(name string) (base, browser string, ok bool) {
	_, builder, _ := strings.Cut(t.Builder, ":")
	switch builder {
	case "application":
		browser = "browser"
	case "browser", "browser-esbuild":
	default:
		return "", "", false
	}
	base = path.Join("dist", name)
	if len(t.Options.OutputPath) == 0 {
		return base, browser, true
	}
	var both struct {
		Base    string  `json:"base"`
		Browser *string `json:"browser"`
	}
	if json.Unmarshal(t.Options.OutputPath, &base) == nil {
		return base, browser, true
	}
	if json.Unmarshal(t.Options.OutputPath, &both) != nil {
		return "", "", false
	}
	if both.Browser != nil {
		browser = *both.Browser
	}
	return cmp.Or(both.Base, base), browser, true
}

func given(option any) bool { return option != nil && option != false && option != "" }

var webpackPath = regexp.MustCompile(`\bpath\s*:\s*(?:path\.)?(?:resolve|join)\(\s*(?:__dirname|process\.cwd\(\))\s*,\s*['"](?:\./)?([^'"]+)['"]\s*\)`)

// webpackOutput reads webpack's folder where a plug-in writes the page into it that loads the rest.
func webpackOutput(_ frontEnd, config, script string) (output, bool) {
	if !regexp.MustCompile(`(?i)html-?webpack-?plugin`).MatchString(config) || regexp.MustCompile(`webpack (serve|server|watch)`).MatchString(script) {
		return output{}, false
	}
	made := output{folder: "dist", spa: true}
	if named := webpackPath.FindStringSubmatch(config); named != nil {
		made.folder = named[1]
		return made, true
	}
	return made, !regexp.MustCompile(`\bpath\s*:`).MatchString(config)
}
