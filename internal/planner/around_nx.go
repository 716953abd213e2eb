package planner

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// projectName is what the name of a project of Nx or Moon looks like that can stand in a command as it is.
var projectName = regexp.MustCompile(`^[A-Za-z0-9@][A-Za-z0-9@/._-]*$`)

// nxProject is what of a project.json matters to a build.
type nxProject struct {
	Name    string              `json:"name"`
	Targets map[string]nxTarget `json:"targets"`
	plugged bool                // plug-ins may give it more targets
}

type nxTarget struct {
	Executor string `json:"executor"`
	Options  struct {
		OutputPath json.RawMessage `json:"outputPath"`
		Main       string          `json:"main"`
		Index      any             `json:"index"`
		SSR        any             `json:"ssr"`
		Server     any             `json:"server"`
	} `json:"options"`
	Configurations map[string]json.RawMessage `json:"configurations"`
}

// readNx reads what Nx is told of a folder: in project.json, or in its package.json.
func readNx(src *source, dir string) (p nxProject, ok bool) {
	var own struct {
		Name string    `json:"name"`
		NX   nxProject `json:"nx"`
	}
	if data, err := src.read(path.Join(dir, packageJSON)); err == nil && json.Unmarshal(data, &own) == nil {
		p = own.NX
		p.Name, ok = own.Name, len(own.NX.Targets) > 0
	}
	if data, err := src.read(path.Join(dir, "project.json")); err == nil {
		ok = json.Unmarshal(data, &p) == nil
	}
	if p.Name == "" {
		p.Name = path.Base(dir)
	}
	return p, ok && projectName.MatchString(p.Name)
}

// run returns the command that runs a target of the project from the root, as nixpacks writes it: Nx passes over a configuration that
// a build does not have.
func (p nxProject) run(exec, target string) string {
	command := fmt.Sprintf("%s nx run %s:%s", exec, p.Name, target)
	if _, production := p.Targets[target].Configurations["production"]; production || target == "build" {
		command += ":production"
	}
	return command
}

// nxPlugged reports whether the workspace has plug-ins, which infer targets from the files of a project.
func nxPlugged(root *source) bool {
	var settings struct {
		Plugins []any `json:"plugins"`
	}
	data, err := root.read("nx.json")
	return err == nil && readCommented(data, &settings) == nil && len(settings.Plugins) > 0
}

// nxApp finds an app of an Nx workspace that has no package.json of its own, nor another language's manifest: it is built from the
// root. nixpacks does that when it is told the project's name and finds it in apps/<name>; the commands are for the others too.
func nxApp(root, src *source, app string) *around {
	manifest := func(e evident) bool { return src.exists(e.file) }
	if !root.exists("nx.json") || !root.exists(packageJSON) || slices.ContainsFunc(evidence, manifest) {
		return nil
	}
	project, ok := readNx(root, app)
	if !ok {
		return nil
	}
	project.plugged = nxPlugged(root)
	top, _ := readMember(root, ".")
	exec := (&nodeSpace{manager: nodeManager(root, top)}).exec()
	return &around{
		reason: fmt.Sprintf("%s is the project %s of %s", app, project.Name, path.Join(root.rel, "nx.json")),
		runs:   deployment.ContextRunsAll,
		env:    []string{"NIXPACKS_NX_APP_NAME=" + project.Name},
		build: func(string) string {
			if src.namesBuild() || !project.has("build") && !project.plugged {
				return ""
			}
			return project.run(exec, "build")
		},
		start: project.start(exec, app),
		nx:    &project,
	}
}

// start returns what starts the app that the build makes, "" where that is not plain.
func (p nxProject) start(exec, app string) string {
	build := p.Targets["build"]
	var output string
	_ = json.Unmarshal(build.Options.OutputPath, &output) // else there is none
	main := build.Options.Main
	switch _, executor, _ := strings.Cut(build.Executor, ":"); {
	case p.has("start"):
		return p.run(exec, "start")
	case !copiedName.MatchString(output) || strings.Contains(output, " "):
		return ""
	case strings.HasSuffix(build.Executor, "/next:build"):
		return "cd " + output + " && npm run start"
	case !copiedName.MatchString(main) || strings.Contains(main, " "):
		return ""
	case executor == "tsc" || executor == "swc": // keep the folders below the project
		main = strings.TrimPrefix(path.Clean(main), app+"/")
	default:
		main = path.Base(main)
	}
	return "node " + path.Join(output, strings.TrimSuffix(main, path.Ext(main))+".js")
}

func (p nxProject) has(target string) bool {
	_, ok := p.Targets[target]
	return ok
}

var (
	nxAngular  = regexp.MustCompile(`^@(?:nx|nrwl)/angular:|^@angular(?:-devkit)?/build(?:-angular)?:`)
	nxVite     = regexp.MustCompile(`^@(?:nx|nrwl)/vite:build$`)
	nxBundle   = regexp.MustCompile(`^@(?:nx|nrwl)/(?:webpack:webpack|rspack:rspack|web:\w+)$`)
	viteOutDir = regexp.MustCompile(`\boutDir\s*:\s*['"]([^'"]+)['"]`)
	viteServer = regexp.MustCompile(`\b(?:ssr|nitro|remix|reactRouter|analog|sveltekit|tanstackStart)\b`)
)

// files returns the folder that a front end's build makes, from the workspace's root.
func (p nxProject) files(src *source, app string) (folder string, ok bool) {
	build := p.Targets["build"]
	_ = json.Unmarshal(build.Options.OutputPath, &folder) // an object is Angular's
	index, _ := build.Options.Index.(string)
	switch {
	case nxAngular.MatchString(build.Executor):
		return build.angular(p.Name)
	case nxVite.MatchString(build.Executor), !p.has("build") && p.plugged:
		return viteFolder(src, app, folder)
	case nxBundle.MatchString(build.Executor) && index != "":
		return folder, folder != ""
	}
	return "", false
}

// viteFolder reads where Vite puts its files, which the target says, or else the configuration. What Vite builds without a page
// is a server or a library.
func viteFolder(src *source, app, folder string) (string, bool) {
	if !src.exists("index.html") {
		return "", false
	}
	for _, name := range configNames("vite.config") {
		data, err := src.read(name)
		if err != nil {
			continue
		}
		if viteServer.Match(data) {
			return "", false
		}
		if named := viteOutDir.FindSubmatch(data); named != nil && folder == "" {
			folder = path.Join(app, string(named[1]))
		}
		if folder == "" {
			folder = path.Join(app, "dist")
		}
		return folder, true
	}
	return "", false
}

// angular returns the folder of what browsers load.
func (t nxTarget) angular(name string) (string, bool) {
	_, builder, _ := strings.Cut(t.Executor, ":")
	target := angularTarget{Builder: "x:" + strings.TrimPrefix(builder, "webpack-")}
	target.Options.OutputPath = t.Options.OutputPath
	base, browser, ok := target.paths(name)
	return path.Join(base, browser), ok && !given(t.Options.SSR) && !given(t.Options.Server)
}

// nxFiles serves the front end that a target of Nx builds: nixpacks would start a file that no front end has.
func (r *repairs) nxFiles() bool {
	a := r.src.around
	if a == nil || a.nx == nil || a.nx.has("start") || r.ownStart() {
		return false
	}
	folder, ok := a.nx.files(r.src, a.app)
	if !ok {
		return false
	}
	if folder, ok = insideFolder(folder); !ok {
		return false
	}
	r.static = &deployment.StaticSettings{Folder: folder, SPA: true}
	r.say("repair.static_output", "project.json", r.keyLine("project.json", "targets", "build"),
		`set static.folder to "`+folder+`" and static.spa to true to keep this, set start_command to start something else, or set repairs to off`,
		"the project %s builds a front end and nothing serves it, so the folder %s of the build is served", a.nx.Name, folder)
	return true
}
