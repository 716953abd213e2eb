package planner

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
)

// nixVersions tell the version of a language from the name of a nix package that nixpacks installs. Names without a number mean
// what nixpacks' pinned package sets hold under them.
var nixVersions = []struct {
	language string
	name     *regexp.Regexp
	version  string // of the groups of name
}{
	{"node", regexp.MustCompile(`^nodejs_(\d+)$`), "$1"},
	{"python", regexp.MustCompile(`^python(\d)(\d+)$`), "$1.$2"},
	{"go", regexp.MustCompile(`^go_1_(\d+)$`), "1.$1"},
	{"go", regexp.MustCompile(`^go$`), "1.22"},
	{"php", regexp.MustCompile(`^\(php(\d)(\d)\.withExtensions`), "$1.$2"},
	{"php", regexp.MustCompile(`^\(php\.withExtensions`), "8.2"},
	{"java", regexp.MustCompile(`^jdk(\d+)$`), "$1"},
	{"java", regexp.MustCompile(`^jdk$`), "19"},
	{"dotnet", regexp.MustCompile(`^dotnet-sdk_(\d+)$`), "$1"},
	{"dotnet", regexp.MustCompile(`^dotnet-sdk$`), "6"},
}

var rubyInstall = regexp.MustCompile(`rbenv install (\d+\.\d+)`)

// nixpacksVersions fills in which versions a nixpacks plan installs, and what its app runs on. Where an operator's base image brings
// the languages, their versions are not known.
func (l *look) nixpacksVersions() {
	versions := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(l.native.Phases)) {
		for _, pkg := range l.native.Phases[name].NixPkgs {
			for _, known := range nixVersions {
				if at := known.name.FindStringSubmatchIndex(pkg); at != nil && versions[known.language] == "" {
					versions[known.language] = string(known.name.ExpandString(nil, known.version, pkg, at))
				}
			}
		}
	}
	if l.provides("php") && !l.src.exists(packageJSON) {
		delete(versions, "node") // it only writes the configuration of nginx
	}
	for _, command := range l.native.Phases["setup"].Cmds {
		if ruby := rubyInstall.FindStringSubmatch(command); ruby != nil {
			versions["ruby"] = ruby[1]
		}
	}
	if len(versions) > 0 {
		l.plan.Versions = versions
	}
	l.plan.Base = cmp.Or(l.native.Start.RunImage, l.native.BuildImage)
}
