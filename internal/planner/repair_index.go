package planner

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// staticIndex serves files where nixpacks recognised something that starts nothing and builds nothing, and an index.html lies there.
func (r *repairs) staticIndex() bool {
	if r.starts() != "" || r.native.command("build") != "" || hasCommands(r.project) {
		return false
	}
	folder := indexFolder(r.src)
	if folder == "" {
		return false
	}
	r.files = folder
	r.warnings = append(r.warnings, indexWarning(folder, "nixpacks recognises "+strings.Join(r.plan.Providers, ", ")+", which starts nothing"))
	return true
}

func indexWarning(folder, reason string) deployment.Warning {
	fix := "set the project's builder to static"
	if folder != "." {
		fix += ` and static.folder to "` + folder + `"`
	}
	return deployment.NewWarning("repair.static_index", path.Join(folder, "index.html"), 0, "%s, so the files of the folder %q are served", reason, folder).
		Fixed("%s to keep this, or set repairs to off", fix)
}

// indexFolder returns the folder that holds an index.html, as the static builder finds it, else by the names that tools and people
// give to it, else the only one there is; "" for none.
func indexFolder(src *source) string {
	for _, folder := range []string{
		".", "public", "dist", "build", "out", "_site", "www", "site", "web", "html", "htdocs", "docs", "static", "src", "app", "client", "frontend",
	} {
		if src.exists(path.Join(folder, "index.html")) {
			return folder
		}
	}
	found, err := fs.Glob(src.FS(), "*/index.html")
	found = slices.DeleteFunc(found, func(name string) bool {
		return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "node_modules/")
	})
	if err != nil || len(found) != 1 {
		return ""
	}
	folder, _ := insideFolder(path.Dir(found[0]))
	return folder
}

// planOtherFolder serves a folder with an index.html that the static builder does not look into; nil when there is none.
func (p *Planner) planOtherFolder(src *source, project deployment.Project) (*deployment.Plan, error) {
	folder := indexFolder(src)
	if folder == "" || project.Build.Repairs == deployment.RepairsOff || project.Build.Static.Folder != "" || src.exists("Staticfile") || hasCommands(project) {
		return nil, nil
	}
	project.Build.Static.Folder = folder
	plan, err := planStatic(src, project, p.overrides)
	if err != nil {
		return nil, err
	}
	plan.Warnings = []deployment.Warning{indexWarning(folder, "nothing else in the repository can be served")}
	return plan, nil
}
