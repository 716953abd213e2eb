package planner

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Overrides are an operator's changes to every plan: base images of their own, packages that those already hold, settings
// for the package managers. They make builds work where public image registries and package caches cannot be reached.
type Overrides struct {
	BuildImage    string                       `yaml:"build_image"`    // instead of nixpacks' base image
	RunImage      string                       `yaml:"run_image"`      // where a plan runs in another image than it builds in
	StaticImage   string                       `yaml:"static_image"`   // holds a caddy executable; serves static folders
	ClearPackages bool                         `yaml:"clear_packages"` // install no nix and apt packages: the build image has them
	NodeVersion   string                       `yaml:"node_version"`   // the major of the Node that the build image has, where packages are cleared
	BunVersion    string                       `yaml:"bun_version"`    // the Bun that the build image has, where packages are cleared; empty for none
	Variables     map[string]string            `yaml:"variables"`      // added to every plan, in builds and in apps; not secret
	Providers     map[string]ProviderOverrides `yaml:"providers"`      // per nixpacks provider (node, python, go, ...)
}

// ProviderOverrides are changes to the plans of one provider, stronger than the general ones.
type ProviderOverrides struct {
	BuildImage  string   `yaml:"build_image"`
	AptPackages []string `yaml:"apt_packages"` // installed with apt; added to the plan's own unless those are cleared
}

// LoadOverrides reads Overrides from a YAML file. A key that is not known is an error that names it: a typo would change
// nothing, silently.
func LoadOverrides(path string) (Overrides, error) {
	f, err := os.Open(path)
	if err != nil {
		return Overrides{}, fmt.Errorf("load plan overrides: %w", err)
	}
	defer f.Close()
	var o Overrides
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	if err := decoder.Decode(&o); err != nil && !errors.Is(err, io.EOF) {
		return Overrides{}, fmt.Errorf("load plan overrides: %s: %w", path, err)
	}
	if err := o.validate(); err != nil {
		return Overrides{}, fmt.Errorf("load plan overrides: %s: %w", path, err)
	}
	return o, nil
}

var nodeMajor = regexp.MustCompile(`^[1-9][0-9]?$`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// validate reports every fault with the path of its key.
func (o Overrides) validate() error {
	var faults []error
	image := func(key, value string) {
		if value != "" && !imageName.MatchString(value) {
			faults = append(faults, fmt.Errorf("%s: %q is not the name of an image", key, value))
		}
	}
	image("build_image", o.BuildImage)
	image("run_image", o.RunImage)
	image("static_image", o.StaticImage)
	if o.NodeVersion != "" && !nodeMajor.MatchString(o.NodeVersion) {
		faults = append(faults, fmt.Errorf("node_version: %q is not the number of a major version of Node, such as 22", o.NodeVersion))
	}
	if o.BunVersion != "" && !exactBun.MatchString(o.BunVersion) {
		faults = append(faults, fmt.Errorf("bun_version: %q is not a version of Bun, such as 1.4.5", o.BunVersion))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Variables)) {
		if !variableName.MatchString(name) || hasControl(o.Variables[name]) {
			faults = append(faults, fmt.Errorf("variables.%s: is not a variable with a value on one line", name))
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(o.Providers)) {
		image("providers."+provider+".build_image", o.Providers[provider].BuildImage)
		for i, name := range o.Providers[provider].AptPackages {
			if !aptPackage.MatchString(name) {
				faults = append(faults, fmt.Errorf("providers.%s.apt_packages[%d]: %q is not the name of a package", provider, i, name))
			}
		}
	}
	return errors.Join(faults...)
}
