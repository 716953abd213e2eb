package planner

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

var (
	goUse      = regexp.MustCompile(`(?m)^[ \t]*use[ \t]+([^(\s]+)`)
	goUseBlock = regexp.MustCompile(`(?ms)^[ \t]*use[ \t]*\((.*?)\)`)
)

// goWorkspace finds a module that a go.work uses; the go command finds the go.work by itself.
func goWorkspace(root, src *source, app string) *around {
	data, err := root.read("go.work")
	if err != nil || !src.exists("go.mod") {
		return nil
	}
	var used []string
	for _, match := range goUse.FindAllSubmatch(data, -1) {
		used = append(used, string(match[1]))
	}
	for _, block := range goUseBlock.FindAllSubmatch(data, -1) {
		for line := range strings.Lines(string(block[1])) {
			line, _, _ = strings.Cut(line, "//")
			used = append(used, strings.TrimSpace(line))
		}
	}
	names := func(dir string) bool { return dir != "" && path.Clean(strings.Trim(dir, "\"`")) == app }
	if !slices.ContainsFunc(used, names) {
		return nil
	}
	return &around{reason: fmt.Sprintf("%s is used by %s", app, path.Join(root.rel, "go.work"))}
}

// uvWorkspace finds a package of a workspace of uv, which has one lock file at its root.
func uvWorkspace(root, src *source, app string) *around {
	var project struct {
		Tool struct {
			UV struct {
				Workspace struct {
					Members []string `toml:"members"`
					Exclude []string `toml:"exclude"`
				} `toml:"workspace"`
			} `toml:"uv"`
		} `toml:"tool"`
	}
	data, err := root.read("pyproject.toml")
	if err != nil || !src.exists("pyproject.toml") || toml.Unmarshal(data, &project) != nil {
		return nil
	}
	space := project.Tool.UV.Workspace
	if !belongs(space.Members, app) || belongs(space.Exclude, app) {
		return nil
	}
	return &around{
		reason: fmt.Sprintf("%s is in the workspace of %s", app, path.Join(root.rel, "pyproject.toml")),
		show:   []string{"uv.lock", ".python-version"},
	}
}

// references are how manifests name folders, and files in folders, outside their own.
var references = []struct{ file, folder *regexp.Regexp }{
	{regexp.MustCompile(`^package\.json$`), regexp.MustCompile(`"(?:file|link|portal):(\.\./[^"]*)"`)},
	{regexp.MustCompile(`^go\.mod$`), regexp.MustCompile(`(?m)=>[ \t]*["` + "`" + `]?(\.\./[^\s"` + "`" + `]*)`)},
	{regexp.MustCompile(`^(requirements|constraints)[A-Za-z0-9._-]*\.txt$`), regexp.MustCompile(`(?m)^[ \t]*(?:(?:-e|-r|-c|--editable|--requirement|--constraint)[= \t]*|[\w.-]+[ \t]*@[ \t]*)?(?:file:)?(\.\./[^\s#;[]*)`)},
	{regexp.MustCompile(`^(pyproject\.toml|Pipfile|Cargo\.toml)$`), regexp.MustCompile(`\b(?:path|file|editable)[ \t]*=[ \t]*"(\.\./[^"]*)"`)},
	{regexp.MustCompile(`^Gemfile$`), regexp.MustCompile(`\bpath:[ \t]*["'](\.\./[^"']*)["']`)},
	{regexp.MustCompile(`^composer\.json$`), regexp.MustCompile(`"url"\s*:\s*"(\.\./[^"*]*)"`)},
}

// maxBeside bounds how many folders of a repository an app may need beside its own.
const maxBeside = 64

// besides finds the folders that a source's manifests name outside of it, and those that these name in turn: the build gets the
// smallest folder that holds them all. root is the checkout.
func besides(root, src *source) (*around, error) {
	folders, reason := []string{src.rel}, ""
	for i := 0; i < len(folders) && len(folders) < maxBeside; i++ {
		file, names := referencesOf(root, folders[i])
		for _, name := range names {
			needed := path.Join(folders[i], name)
			folder := folderOf(root, needed)
			if folder == "" || slices.Contains(folders, folder) {
				continue
			}
			folders = append(folders, folder)
			if reason == "" {
				reason = fmt.Sprintf("%s needs %s", path.Join(folders[i], file), needed)
			}
		}
	}
	if len(folders) == 1 {
		root.Close()
		return nil, nil //nolint:nilnil // it stands alone
	}
	common := src.rel
	for _, folder := range folders {
		for common != "." && folder != common && !strings.HasPrefix(folder, common+"/") {
			common = path.Dir(common)
		}
	}
	if common == src.rel {
		root.Close()
		return nil, nil //nolint:nilnil // all of it is inside
	}
	a := &around{root: root, app: src.rel, reason: reason}
	if common != "." {
		within, err := root.OpenRoot(common)
		if err != nil {
			return nil, err
		}
		root.Close()
		a.root, a.app = &source{Root: within, rel: common}, strings.TrimPrefix(src.rel, common+"/")
	}
	return a, nil
}

// folderOf returns a folder that a manifest names, or that of a file, "" for what is not there. TypeScript's files may be named
// without their ending.
func folderOf(root *source, name string) string {
	info, err := root.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return name
	case err == nil && info.Mode().IsRegular(), root.exists(name + ".json"):
		return path.Dir(name)
	}
	return ""
}

// referencesOf returns the folders that the manifests in one folder name outside of it, and the first such manifest.
func referencesOf(root *source, folder string) (file string, names []string) {
	entries, err := fs.ReadDir(root.FS(), folder)
	if err != nil {
		return "", nil
	}
	for _, entry := range entries {
		named := namedIn(root, folder, entry.Name())
		if len(names) == 0 {
			file = entry.Name()
		}
		names = append(names, named...)
	}
	return file, names
}

// namedIn returns what one file names outside its folder, if it is a manifest.
func namedIn(root *source, folder, file string) (names []string) {
	read := func() []byte {
		data, err := root.read(path.Join(folder, file))
		if err != nil {
			return nil // what cannot be read names nothing
		}
		return data
	}
	if tsconfigName.MatchString(file) {
		return tsconfigNames(read())
	}
	for _, reference := range references {
		if !reference.file.MatchString(file) {
			continue
		}
		for _, match := range reference.folder.FindAllSubmatch(read(), -1) {
			names = append(names, string(match[1]))
		}
	}
	return names
}
