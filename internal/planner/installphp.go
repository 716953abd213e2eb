package planner

import (
	"encoding/json"
	"regexp"
	"slices"
)

var composerFlags = regexp.MustCompile(`^(-n|-q|--(no-dev|no-interaction|prefer-dist|no-progress|ignore-platform-reqs|no-ansi|quiet|no-suggest|no-scripts|no-plugins))$`)

// composerJSON is what of a composer.json decides about reading.
type composerJSON struct {
	Scripts      map[string]any `json:"scripts"`
	Repositories any            `json:"repositories"`
	Autoload     autoload       `json:"autoload"`
	AutoloadDev  autoload       `json:"autoload-dev"`
	Extra        map[string]any `json:"extra"`
	Config       map[string]any `json:"config"`
}

type autoload struct {
	Classmap any `json:"classmap"` // scanned for classes when packages are installed
	PSR0     any `json:"psr-0"`
}

// composer takes composer's two files. Plugins, scripts and scanned folders need more than those.
func (r *installReads) composer(args []string) bool {
	if len(args) == 0 || args[0] != "install" || !only(args[1:], composerFlags) {
		return false
	}
	if r.installedBefore("vendor") {
		return true
	}
	r.need("composer.json", "composer.lock")
	var manifest composerJSON
	if r.reason == "" && json.Unmarshal(r.read("composer.json"), &manifest) != nil {
		r.everything("composer.json cannot be read")
	}
	if r.reason == "" {
		r.composerManifest(manifest)
	}
	return true
}

func (r *installReads) composerManifest(m composerJSON) {
	var lock struct {
		Packages    []struct{ Type string } `json:"packages"`
		PackagesDev []struct{ Type string } `json:"packages-dev"`
	}
	data, err := r.readLong("composer.lock")
	switch {
	case err != nil || json.Unmarshal(data, &lock) != nil:
		r.everything("composer.lock cannot be read")
	case len(m.Scripts) > 0:
		r.everything("composer.json has scripts")
	case m.Repositories != nil:
		r.everything("composer.json names repositories of its own")
	case m.Autoload.Classmap != nil || m.AutoloadDev.Classmap != nil || m.Autoload.PSR0 != nil || m.AutoloadDev.PSR0 != nil:
		r.everything("composer.json names folders that are scanned for classes")
	case len(m.Extra) > 0 || slices.ContainsFunc(composerSettings, func(key string) bool { return m.Config[key] != nil }):
		r.everything("composer.json has settings that may lead to other files")
	}
	for _, pkg := range append(lock.Packages, lock.PackagesDev...) {
		if pkg.Type == "composer-plugin" || pkg.Type == "composer-installer" {
			r.everything("a plugin of composer is among the packages")
		}
	}
}

var composerSettings = []string{"optimize-autoloader", "classmap-authoritative", "vendor-dir", "bin-dir", "cafile", "capath", "cache-dir", "data-dir"}
