package planner

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxManifests bounds the files that are copied one by one: each folder is a layer, and an image has 127 at most.
const maxManifests = 40

// everywhere takes the files of these names in all folders of the source. Which of them belong to a workspace is the
// package manager's to say; one too many is only a file.
func (r *installReads) everywhere(names ...string) (found []string) {
	folders := 0
	err := fs.WalkDir(r.src.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (isHidden(entry.Name()) || entry.Name() == "vendor"):
			return fs.SkipDir
		case !entry.IsDir() && slices.Contains(names, entry.Name()) && !r.hides(name):
			found = append(found, name)
			if len(found) == 1 || path.Dir(found[len(found)-2]) != path.Dir(name) {
				folders++
			}
		}
		if folders > maxManifests {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		r.everything("its folders cannot be read")
	}
	if folders > maxManifests {
		r.everything("there are more than %d folders with a %s", maxManifests, names[0])
		return nil
	}
	r.add(found...)
	return found
}

// namedFile returns the first text in a decoded document that names something in the source, "" for none. Settings have
// many ways to name a file that an install reads; whatever they are called, the file is there.
func (r *installReads) namedFile(value any) string {
	switch value := value.(type) {
	case string:
		if name := path.Clean(strings.TrimSpace(value)); name != "." && fs.ValidPath(name) && r.there(name) {
			return name
		}
	case []any:
		for _, element := range value {
			if name := r.namedFile(element); name != "" {
				return name
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) { // the same reason every time: it is part of the plan
			if name := r.namedFile(value[key]); name != "" {
				return name
			}
		}
	}
	return ""
}
