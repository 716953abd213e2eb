package planner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// around is what of the repository a root directory cannot be built without: a monorepo's root, or folders beside it.
type around struct {
	root   *source                 // the folder that the build gets
	app    string                  // the root directory, by slash path inside root
	reason string                  // why it is more than the root directory
	runs   deployment.ContextRuns  // which commands run in root
	show   []string                // files of root that tell nixpacks about the app, where it has none of its own
	hide   []string                // files of the app that nixpacks would take for the root's
	begin  string                  // beginning of the app's package.json that says what root's says
	build  func(own string) string // the build command around the app's own; nil, and what returns "", for that one
	start  string                  // the start command, where nixpacks may not know it
	env    []string                // NAME=value, for nixpacks
	nx     *nxProject              // that is planned at the root
}

// lookAround finds what a source is a part of; nil when it stands alone. The caller closes its root.
func lookAround(checkout string, src *source) (*around, error) {
	if src.rel == "." {
		return nil, nil //nolint:nilnil // nothing is around the repository
	}
	for dir := path.Dir(src.rel); ; dir = path.Dir(dir) {
		root, err := openSource(checkout, dir)
		if err != nil {
			return nil, err
		}
		app := strings.TrimPrefix(strings.TrimPrefix(src.rel, dir), "/")
		if dir == "." {
			app = src.rel
		}
		for _, find := range []func(root, src *source, app string) *around{nodeWorkspace, nxApp, goWorkspace, uvWorkspace} {
			if found := find(root, src, app); found != nil {
				found.root, found.app = root, app
				return found, nil
			}
		}
		if dir == "." {
			return besides(root, src)
		}
		root.Close()
	}
}

// context says in the plan what the build gets.
func (a *around) context() *deployment.BuildContext {
	return &deployment.BuildContext{Dir: a.root.rel, Reason: a.reason, Runs: a.runs}
}

// lay puts what the root says about the app into the app's private copy.
func (a *around) lay(dir string) error {
	for _, name := range a.show {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil || !a.root.exists(name) {
			continue
		}
		if err := copyFile(a.root, name, dir); err != nil {
			return err
		}
	}
	for _, name := range a.hide {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if a.begin == "" {
		return nil
	}
	file := filepath.Join(dir, packageJSON)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	before, after, _ := strings.Cut(string(data), "{")
	if strings.HasPrefix(strings.TrimSpace(after), "}") {
		return nil // an empty one, in which a beginning needs no comma; and it says nothing of an app
	}
	return os.WriteFile(file, []byte(before+"{"+a.begin+after), 0o600)
}

// privateCopyAround copies what nixpacks is to look at: the app with what the root says about it, or the root.
func (p *Planner) privateCopyAround(ctx context.Context, src *source) (dir string, dropped []string, err error) {
	if src.around == nil {
		return p.privateCopy(ctx, src)
	}
	copied, lay := src.around.root, src.layConfig
	if src.around.runs != deployment.ContextRunsAll {
		copied, lay = src, src.around.lay
	}
	if dir, dropped, err = p.privateCopy(ctx, copied); err != nil {
		return "", nil, err
	}
	if copied == src {
		dropped = nil // a link out of the app may well lead to something that the build gets
	}
	if err := lay(dir); err != nil {
		os.RemoveAll(filepath.Dir(dir))
		return "", nil, err
	}
	return dir, dropped, nil
}

// layConfig puts what the app tells nixpacks in the place of what the root tells it, in a copy of the root.
func (s *source) layConfig(dir string) error {
	for _, names := range [][]string{configFiles, {procfile}} {
		if s.planned(names...) != s {
			continue
		}
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
			if !s.exists(name) {
				continue
			}
			if err := copyFile(s, name, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// env returns the flags with which nixpacks is told what the folder does not say.
func (f *firstPass) env() (flags []string) {
	if f.src.around != nil {
		for _, variable := range f.src.around.env {
			flags = append(flags, "--env="+variable)
		}
	}
	return flags
}

// commands fills in the commands of an app that needs more than its own folder built. nixpacks lets them go before what the
// repository's own configuration names, so where it names a start there is none.
func (f *firstPass) commands(project deployment.Project) deployment.Project {
	a := f.src.around
	if a == nil {
		return project
	}
	if a.build != nil && project.BuildCommand == "" {
		project.BuildCommand = a.build(f.native.command("build"))
	}
	if project.StartCommand == "" && !f.src.namesStart() {
		project.StartCommand = a.start
	}
	return project
}

// belongs reports whether a workspace's patterns name a folder, and not only one above it. What a later pattern excludes with a
// "!" does not belong.
func belongs(patterns []string, folder string) bool {
	named := false
	for _, pattern := range patterns {
		name, excludes := strings.CutPrefix(pattern, "!")
		if doublestar.MatchUnvalidated(path.Clean(strings.TrimPrefix(name, "/")), folder) {
			named = !excludes
		}
	}
	return named
}
