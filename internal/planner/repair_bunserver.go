package planner

import (
	"path"
	"regexp"
	"slices"
)

// How servers of Bun's are known: by a call, by what a file exports for Bun to serve, and an app of Hono's is served when exported.
var (
	bunListens = regexp.MustCompile(`\.listen\s*\(|\bserve\s*(?:<[^()]*>)?\(|(?m:^export\s+default\s+\{[^}]*\bfetch\b)`)
	bunExports = regexp.MustCompile(`(?s)from\s+["']hono["'].*(\bexport\s+default\s+\w)`)
	bunWatches = regexp.MustCompile(`\bbun(?: run)?(?: --(?:watch|hot))+ (?:run )?([A-Za-z0-9_][A-Za-z0-9_./-]*)(?:$|\s)`)
	bunRuns    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*\.[cm]?[jt]sx?$`)
)

// bunServer returns the start of the file that serves, of those that the development script runs, that package.json names, or
// that have a usual name.
func (r *repairs) bunServer() (start, file string, line int) {
	files := []string{r.manifest.Module}
	if watched := bunWatches.FindStringSubmatch(r.manifest.Scripts["dev"]); watched != nil {
		files = append([]string{watched[1]}, files...)
	}
	for _, folder := range []string{".", "src", "server"} {
		for _, name := range []string{"index", "server", "app", "main"} {
			files = append(files, path.Join(folder, name+".ts"), path.Join(folder, name+".tsx"))
		}
	}
	for _, file := range files {
		file = path.Clean(file)
		for _, serves := range []*regexp.Regexp{bunListens, bunExports} {
			if found, line := r.match(file, serves); found != nil && bunRuns.MatchString(file) {
				return "bun " + file, file, line
			}
		}
	}
	return "", "", 0
}

var (
	// bunUsed matches what only Bun has, where no comment begins before it.
	bunUsed  = regexp.MustCompile(`(?m)^(?:[^/*\n]|/[^/*\n])*?(?:\bBun\.\w|\b(?:from|import|require)\b\s*\(?\s*["']bun[:"'])`)
	bunLocks = []string{"bun.lock", "bun.lockb"}
)

// usesBun returns where a file uses what only Bun has, in a repository that is installed by Bun; 0 for nowhere.
func (r *repairs) usesBun(file string) (line int) {
	root, _ := r.workspace()
	if slices.ContainsFunc(bunLocks, r.src.exists) || slices.ContainsFunc(bunLocks, root.src.exists) {
		_, line = r.match(file, bunUsed)
	}
	return line
}
