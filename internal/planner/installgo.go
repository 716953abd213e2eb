package planner

import (
	"path"
	"regexp"
)

var (
	localReplace = regexp.MustCompile(`(?m)=>[ \t]*["` + "`" + `]?(\.|/)`)
	goRequires   = regexp.MustCompile(`(?m)^[ \t]*require\b`)
)

// goModules takes what `go mod download` reads: the module's files, and those of a work space.
func (r *installReads) goModules() {
	if r.there("vendor") {
		r.everything("the repository holds its modules in vendor")
		return
	}
	r.need("go.mod")
	files := []string{"go.mod"}
	if r.there("go.work") {
		r.add("go.work", "go.work.sum")
		files = append(r.everywhere("go.mod", "go.sum"), "go.work")
	} else if r.reason == "" && goRequires.Match(r.read("go.mod")) {
		r.need("go.sum") // else the download makes one, and the build needs it
	}
	for _, name := range files {
		if r.reason == "" && path.Base(name) != "go.sum" && localReplace.Match(r.read(name)) {
			r.everything("%s replaces a module by a folder", name)
		}
	}
}
