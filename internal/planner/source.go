package planner

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// maxManifest bounds what is read of one file: manifests and Dockerfiles are small, and a huge one is an attack.
const maxManifest = 1 << 20

// source is the root directory of a project inside a checkout. Reads go through os.Root, so that no symlink leads out.
type source struct {
	*os.Root
	rel    string  // slash path inside the checkout, symlinks resolved, "." for the checkout itself
	around *around // nil when nothing else of the repository is needed
}

func openSource(checkout, rootDir string) (*source, error) {
	base, err := filepath.EvalSymlinks(checkout)
	if err != nil {
		return nil, fmt.Errorf("open checkout: %w", err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(base, filepath.FromSlash(rootDir)))
	if err != nil {
		return nil, rootDirMissing(rootDir)
	}
	rel, err := filepath.Rel(base, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, deployment.UserFailure("plan.root_dir_outside",
			"set the project's root_dir to a folder of the repository", "root_dir %q leads out of the repository", rootDir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, rootDirMissing(rootDir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open root_dir %q: %w", rootDir, err)
	}
	return &source{Root: root, rel: filepath.ToSlash(rel)}, nil
}

func rootDirMissing(rootDir string) error {
	return deployment.UserFailure("plan.root_dir_missing",
		"set the project's root_dir to a folder that the commit has, or leave it empty for the repository's root",
		"root_dir %q is not a folder of the repository at this commit", rootDir)
}

// exists reports whether name is a file that can be read without leaving the root directory.
func (s *source) exists(name string) bool {
	info, err := s.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// planned returns the folder whose files of these names nixpacks reads: the source, also where the root is planned and the source
// has one of them, and else that root.
func (s *source) planned(names ...string) *source {
	if s.around == nil || s.around.runs != deployment.ContextRunsAll || slices.ContainsFunc(names, s.exists) {
		return s
	}
	return s.around.root
}

// read returns the content of a file of at most maxManifest bytes.
func (s *source) read(name string) ([]byte, error) {
	if info, err := s.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = fmt.Errorf("%s: larger than %d bytes", name, maxManifest)
	}
	return data, err
}

// subfolders returns the folders of the source that hold a file which says how to build them, two levels deep. Only folders are
// opened: whoever opens a named pipe to list it waits for ever.
func (s *source) subfolders() []string {
	var found []string
	var look func(dir string, levels int)
	look = func(dir string, levels int) {
		entries, err := fs.ReadDir(s.FS(), dir)
		if err != nil {
			return
		}
		for _, entry := range entries {
			name := path.Join(dir, entry.Name())
			if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" {
				continue
			}
			if s.buildable(name) {
				found = append(found, name)
			}
			if levels > 1 {
				look(name, levels-1)
			}
		}
	}
	look(".", 2)
	slices.SortStableFunc(found, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return found
}

func (s *source) buildable(dir string) bool {
	for _, name := range []string{
		deployment.DefaultDockerfile, "package.json", "requirements.txt", "pyproject.toml", "go.mod", "Cargo.toml", "Gemfile",
		"composer.json", "pom.xml", "index.html",
	} {
		if s.exists(dir + "/" + name) {
			return true
		}
	}
	return false
}
