package planner

import (
	"path"
	"strings"
)

// copyInstallFiles copies what the install phases read: one layer for each folder that files come from.
func (r *renderer) copyInstallFiles() {
	if r.allCopied || r.installCopied {
		return
	}
	r.installCopied = true
	var folders []string
	files := map[string][]string{}
	for _, file := range r.plan.InstallFiles {
		to := path.Dir(file) // where a file goes
		if strings.HasSuffix(file, "/") {
			to = path.Clean(file) // whose content goes
		}
		if files[to] == nil {
			folders = append(folders, to)
		}
		files[to] = append(files[to], file)
	}
	for _, folder := range folders {
		r.line("COPY %s", jsonArray(append(files[folder], path.Join(appDir, folder)+"/")...))
	}
}
