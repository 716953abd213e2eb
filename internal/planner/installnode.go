package planner

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	// nodeFlags change what is installed, not what is read.
	nodeFlags = regexp.MustCompile(`^(-f|-P|--(production|prod|force|legacy-peer-deps|ignore-scripts|frozen-lockfile|no-frozen-lockfile|` +
		`immutable|check-cache|inline-builds|no-save|no-audit|no-fund|no-optional|ignore-engines|ignore-optional|non-interactive|` +
		`prefer-offline|shamefully-hoist|strict-peer-dependencies|silent|verbose|(omit|include)=(dev|optional|peer)|` +
		`(production|prod|audit|fund)=(true|false)|loglevel[= ][a-z]+))$`)
	globalFlags     = regexp.MustCompile(`^(-g|--global|--silent|--no-audit|--no-fund|--prefix=` + managerDir + `|--globalconfig=\.npmrc|--ignore-scripts=false)$`)
	registryPackage = regexp.MustCompile(`^(@[a-z0-9._-]+/)?[a-z0-9][a-z0-9._-]*(@[A-Za-z0-9.^_-]+)?$`)
)

// node takes what npm, pnpm, yarn or bun reads when it installs.
func (r *installReads) node(manager string, args []string) bool {
	if manager == "npm" && slices.ContainsFunc(args, func(a string) bool { return a == "-g" || a == "--global" }) {
		return isInstall(args[0]) && only(args[1:], regexp.MustCompile(globalFlags.String()+"|"+registryPackage.String()))
	}
	plainYarn := manager == "yarn" && len(args) == 0
	if !plainYarn && (len(args) == 0 || !isInstall(args[0]) || !only(args[1:], nodeFlags)) {
		return false
	}
	if r.installedBefore(".yarn/cache", ".yarn/unplugged", ".yarn/install-state.gz", ".yarn/build-state.yml", ".pnp.cjs", ".pnp.loader.mjs", ".pnp.js") {
		return true
	}
	r.need("package.json")
	r.nodeFiles()
	r.nodeSettings()
	r.nodeManifests()
	return true
}

func isInstall(word string) bool { return word == "ci" || word == "i" || word == "install" }

// installedBefore gives up when the repository holds what an install makes: copied after it, the repository's would undo
// the new.
func (r *installReads) installedBefore(names ...string) bool {
	for _, name := range names {
		if r.there(name) && !r.hides(name) {
			r.everything("the repository holds %s, which an install changes", name)
			return true
		}
	}
	return false
}

func (r *installReads) nodeFiles() {
	r.add("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lockb", "bun.lock",
		".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "bunfig.toml", ".nvmrc", ".node-version")
	for _, folder := range []string{".yarn/releases", ".yarn/plugins", ".yarn/patches"} {
		r.addFolder(folder)
	}
	for _, name := range []string{"package.json5", "package.yaml", "pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js", "yarn.config.cjs", "constraints.pro", "binding.gyp"} {
		if r.there(name) {
			r.everything("an install reads %s, which may read any file", name)
		}
	}
	if !r.there(".pnpmfile.cjs") {
		return
	}
	r.add(".pnpmfile.cjs")
	if hooks := string(r.read(".pnpmfile.cjs")); strings.Contains(hooks, "require") || strings.Contains(hooks, "import") {
		r.everything(".pnpmfile.cjs loads other files")
	}
}

// installManifest is what of a package.json decides about reading.
type installManifest struct {
	Scripts              map[string]any    `json:"scripts"`
	Bin                  any               `json:"bin"`
	Directories          map[string]any    `json:"directories"`
	Workspaces           any               `json:"workspaces"`
	DependenciesMeta     map[string]any    `json:"dependenciesMeta"`
	PatchedDependencies  map[string]string `json:"patchedDependencies"`
	Dependencies         map[string]any    `json:"dependencies"`
	DevDependencies      map[string]any    `json:"devDependencies"`
	OptionalDependencies map[string]any    `json:"optionalDependencies"`
	PeerDependencies     map[string]any    `json:"peerDependencies"`
	Overrides            map[string]any    `json:"overrides"`
	Resolutions          map[string]any    `json:"resolutions"`
	PNPM                 struct {
		Overrides           map[string]any    `json:"overrides"`
		PatchedDependencies map[string]string `json:"patchedDependencies"`
	} `json:"pnpm"`
	Prisma any `json:"prisma"`
	MSW    any `json:"msw"`
}

// nodeManifests takes the root's package.json and, when it has workspaces, everybody's.
func (r *installReads) nodeManifests() {
	root, ok := r.installManifest("package.json")
	if !ok {
		return
	}
	manifests := []string{"package.json"}
	if root.Workspaces != nil || r.there("pnpm-workspace.yaml") {
		manifests = r.everywhere("package.json", "package.json5", "package.yaml", ".npmrc", ".yarnrc", ".yarnrc.yml", "binding.gyp")
	}
	for _, name := range manifests {
		member := name != "package.json" && path.Base(name) == "package.json"
		if path.Base(name) != "package.json" && path.Dir(name) != "." {
			r.everything("a workspace has a %s of its own, %s", path.Base(name), name)
		}
		if path.Base(name) != "package.json" || r.reason != "" {
			continue
		}
		if manifest, ok := r.installManifest(name); ok {
			r.nodeManifest(name, manifest, member)
		}
	}
	r.nodeDependencies(root)
}

func (r *installReads) installManifest(name string) (manifest installManifest, ok bool) {
	if r.reason != "" {
		return manifest, false
	}
	if err := json.Unmarshal(r.read(name), &manifest); err != nil {
		r.everything("%s cannot be read", name)
	}
	return manifest, r.reason == ""
}

// nodeManifest gives up for what one manifest says: scripts that an install runs, and packages that are folders or files.
func (r *installReads) nodeManifest(name string, m installManifest, member bool) {
	for _, script := range []string{
		"pnpm:devPreinstall", "preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "dependencies",
	} {
		if m.Scripts[script] != nil {
			r.everything("%s has the script %s", name, script)
		}
	}
	if member && (m.Bin != nil || m.Directories["bin"] != nil) {
		r.everything("%s has a bin, which is linked only when its file is there", name)
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(m.DependenciesMeta)), isInjected) {
		r.everything("%s injects a workspace into another", name)
	}
	for _, dependencies := range []any{
		m.Dependencies, m.DevDependencies, m.OptionalDependencies, m.PeerDependencies, m.Overrides, m.Resolutions, m.PNPM.Overrides,
	} {
		r.nodeLocal(name, dependencies)
	}
	for _, patches := range []map[string]string{m.PatchedDependencies, m.PNPM.PatchedDependencies} {
		r.patches(name, patches)
	}
}

func isInjected(meta any) bool {
	fields, _ := meta.(map[string]any)
	return fields["injected"] == true
}

// patches takes the patch files that a document names, by paths from the root.
func (r *installReads) patches(document string, patches map[string]string) {
	for _, dependency := range slices.Sorted(maps.Keys(patches)) {
		file := path.Clean(patches[dependency])
		if path.Dir(document) != "." || !fs.ValidPath(file) {
			r.everything("%s names the patch %s", document, shorten(patches[dependency]))
			return
		}
		r.need(file)
	}
}

// localPackage is a dependency that is no package of a registry or a repository elsewhere.
var localPackage = regexp.MustCompile(`^(file:|link:|portal:|exec:|\.|/|~/)|^[^:]*\.(tgz|tar|tar\.gz)$`)

// nodeLocal gives up for dependencies, nested ones too, that are folders or files of the repository. What workspace: names
// is one of the workspaces, and yarn's own patches are in .yarn/patches, which is taken.
func (r *installReads) nodeLocal(document string, value any) {
	switch value := value.(type) {
	case string:
		patched, path, isPatch := strings.Cut(strings.TrimPrefix(value, "patch:"), "#")
		if strings.HasPrefix(value, "patch:") && (!isPatch || !ownPatch.MatchString(path) || localPackage.MatchString(patched)) ||
			!strings.HasPrefix(value, "patch:") && localPackage.MatchString(value) {
			r.everything("%s depends on %s", document, value)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			r.nodeLocal(document, value[name])
		}
	}
}

var ownPatch = regexp.MustCompile(`^(~/|\./)?\.yarn/patches/[A-Za-z0-9._@+-]+$|^~builtin<[a-z/]+>$`)
