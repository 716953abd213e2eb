package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

const (
	prefix       = "SLIPWAY_"
	fileVariable = "SLIPWAY_CONFIG"
	defaultFile  = "slipway.yaml"
)

// foreign lists variables that start like slipway's and are read by others: the CLI, and make and the test bed.
var foreign = []string{
	fileVariable, "SLIPWAY_API_URL", "SLIPWAY_TOKEN",
	"SLIPWAY_CACHE", "SLIPWAY_TEMPORAL_BIN", "SLIPWAY_BUILDKITD", "SLIPWAY_DEBIAN_MIRROR", "SLIPWAY_DEBIAN_SECURITY_MIRROR",
}

// testPrefix starts the variables of the test bed.
const testPrefix = "SLIPWAY_TEST_"

// settings is a struct that knows its keys.
type settings interface {
	keys() []key
	check() Faults // what no single key can tell; called when every key has been set
}

// loaded returns a T that load has filled in, and the zero T with an error.
func loaded[T any, S interface {
	*T
	settings
}](environ []string) (T, error) {
	var t T
	if err := load(S(&t), environ); err != nil {
		var none T
		return none, err
	}
	return t, nil
}

// load fills in s from the environment (NAME=value) and the file that it names. The error is of type Faults, unless the
// file cannot be read.
func load(s settings, environ []string) error {
	said, err := readSources(environ)
	if err != nil {
		return err
	}
	keys := s.keys()
	faults := append(unknownVariables(said.variables), unknownPaths(said.path, said.values)...)
	for _, k := range keys {
		from, v, _ := said.find(k)
		if fault, ok := k.set(from, v); !ok {
			faults = append(faults, fault)
		}
	}
	if len(faults) == 0 {
		faults = s.check()
	}
	return faults.orNil()
}

// sources are what the environment and the file say.
type sources struct {
	variables map[string]string
	path      string         // of the file
	values    map[string]any // of the file, and its texts by key
	texts     map[string]string
}

func readSources(environ []string) (sources, error) {
	variables, err := readEnviron(environ)
	if err != nil {
		return sources{}, err
	}
	path, values, err := readFile(variables[fileVariable])
	return sources{variables: variables, path: path, values: values, texts: texts(values)}, err
}

// find returns a key's text and where it stands: in the environment, else in the file, else it is the default.
func (s sources) find(k key) (from, text string, given bool) {
	if v, ok := s.variables[k.env]; ok {
		return k.env, v, true
	}
	if v, ok := s.texts[k.path]; ok {
		return s.path + ": " + k.path, v, true
	}
	return k.env, k.initial, false
}

// readEnviron returns slipway's variables.
func readEnviron(environ []string) (map[string]string, error) {
	k := koanf.New("")
	err := k.Load(env.Provider("", env.Opt{Prefix: prefix, EnvironFunc: func() []string { return environ }}), nil)
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	variables := map[string]string{}
	for name, v := range k.Raw() {
		variables[name] = fmt.Sprint(v)
	}
	return variables, nil
}

// readFile reads the YAML file at path, which must be there, or the default one if it is.
func readFile(path string) (string, map[string]any, error) {
	named := path != ""
	if !named {
		path = defaultFile
	}
	k := koanf.New(".")
	err := k.Load(file.Provider(path), yaml.Parser())
	if !named && errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	return path, k.Raw(), nil
}

// texts flattens a file's sections to the texts of their keys.
func texts(values map[string]any) map[string]string {
	flat := map[string]string{}
	walk("", values, func(path string, v any) {
		if s, ok := plain(v); ok {
			flat[path] = s
		}
	})
	return flat
}

// walk calls f for everything in the file that is no section, in alphabetical order.
func walk(at string, section map[string]any, f func(path string, v any)) {
	for _, name := range slices.Sorted(maps.Keys(section)) {
		path := strings.TrimPrefix(at+"."+name, ".")
		if inner, ok := section[name].(map[string]any); ok && len(inner) > 0 {
			walk(path, inner, f)
			continue
		}
		f(path, section[name])
	}
}

// Environ returns the process's environment, for the Load functions.
func Environ() []string { return os.Environ() }
