package planner

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

var tsconfigName = regexp.MustCompile(`^tsconfig[A-Za-z0-9._-]*\.json$`)

// tsconfig is what of a tsconfig.json says where a build reads. What it leaves out or writes is no need.
type tsconfig struct {
	Extends    any                     `json:"extends"` // a name, or a list of them
	Files      []string                `json:"files"`
	Include    []string                `json:"include"`
	References []struct{ Path string } `json:"references"`
	Compiler   struct {
		BaseURL  string              `json:"baseUrl"`
		Paths    map[string][]string `json:"paths"`
		RootDir  string              `json:"rootDir"`
		RootDirs []string            `json:"rootDirs"`
	} `json:"compilerOptions"`
}

// tsconfigNames returns the folders and files outside its own folder that a tsconfig.json needs, each pattern by the folder that it
// looks in.
func tsconfigNames(data []byte) (names []string) {
	var config tsconfig
	_ = readCommented(data, &config) // a key of another kind names nothing, nor does a file that is broken
	named := slices.Concat(config.Files, config.Include, config.Compiler.RootDirs, []string{config.Compiler.BaseURL, config.Compiler.RootDir})
	switch extends := config.Extends.(type) {
	case string:
		named = append(named, extends)
	case []any:
		for _, one := range extends {
			name, _ := one.(string)
			named = append(named, name)
		}
	}
	for _, reference := range config.References {
		named = append(named, reference.Path)
	}
	for _, targets := range config.Compiler.Paths {
		for _, target := range targets {
			named = append(named, path.Join(config.Compiler.BaseURL, target))
		}
	}
	for _, name := range named {
		if before, _, pattern := strings.Cut(name, "*"); pattern {
			name = path.Dir(before)
		}
		if name = path.Clean(name); name == ".." || strings.HasPrefix(name, "../") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var (
	commented = regexp.MustCompile(`(?s)("(?:[^"\\]|\\.)*")|^\x{FEFF}|//[^\n]*|/\*.*?\*/`)
	trailing  = regexp.MustCompile(`(?s)("(?:[^"\\]|\\.)*")|,(\s*[}\]])`)
)

// readCommented reads JSON with comments and commas at the ends of lists, as TypeScript and Nx do.
func readCommented(data []byte, into any) error {
	data = commented.ReplaceAll(data, []byte("$1"))
	return json.Unmarshal(trailing.ReplaceAll(data, []byte("$1$2")), into)
}
