package planner

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Where a rendered image holds the app and the plan's assets; commands of nixpacks plans rely on both.
const (
	appDir    = "/app"
	assetsDir = "/assets"
)

// Render returns the Dockerfile of a plan with builder nixpacks or static. It depends on the plan alone. A plan that holds
// something which cannot be written safely is a user Failure.
func Render(plan *deployment.Plan) (string, error) {
	if plan.Builder == deployment.BuilderStatic {
		return renderStatic(plan)
	}
	native, err := decodeNative(plan.Native)
	if err != nil {
		return "", err
	}
	if err := checkNative(native, plan); err != nil {
		return "", err
	}
	order, err := native.order()
	if err != nil {
		return "", err
	}
	r := &renderer{plan: plan, native: native}
	r.base(order)
	for _, name := range order {
		r.phase(name, native.Phases[name])
	}
	if plan.Static != nil {
		if err := r.renderResult(); err != nil {
			return "", err
		}
		return r.String(), nil
	}
	r.start(order)
	return r.String(), nil
}

// renderer writes the Dockerfile of a nixpacks plan.
type renderer struct {
	strings.Builder
	plan          *deployment.Plan
	native        *nativePlan
	installCopied bool   // what install phases read is in the image
	folder        string // where the next command runs
	allCopied     bool   // the whole source is in the image: copying it again would undo what a phase changed
}

func (r *renderer) line(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

// base writes what all phases build on: packages first, because they change least.
func (r *renderer) base(order []string) {
	r.line("FROM %s AS build", r.native.BuildImage)
	r.shell()
	r.nix(order)
	r.apt(order)
	for _, name := range slices.Sorted(maps.Keys(r.buildAssets())) {
		r.file(path.Join(assetsDir, name), r.plan.Assets[name])
	}
	r.environment()
	r.shared()
	r.searchPaths(order)
}

// shared puts what package managers keep in root's home where whom the app runs as can read it: the managers that corepack has
// fetched, and the packages that Yarn's Plug'n'Play runs from.
func (r *renderer) shared() {
	commands := r.native.commands()
	if r.runsAs() == "" {
		return
	}
	if strings.Contains(commands, "corepack enable") {
		r.line(`ENV COREPACK_HOME="/usr/local/share/corepack"`)
	}
	if callsManager(r.native.command("install")) == "yarn" {
		r.line(`ENV YARN_GLOBAL_FOLDER="/usr/local/share/yarn"`)
	}
}

// buildAssets returns what commands of the plan may need: not the configuration of the server that comes after them.
func (r *renderer) buildAssets() map[string]string {
	if r.plan.Static != nil {
		return nil
	}
	return r.plan.Assets
}

// shell makes every command run in a login shell, because that is where nix and the paths of phases are set up, and lets a
// pipeline fail with its first part.
func (r *renderer) shell() {
	r.line(`SHELL ["/bin/bash", "-o", "pipefail", "-lc"]`)
	r.in(appDir)
}

// in makes the next commands run in a folder.
func (r *renderer) in(folder string) {
	if r.folder != folder {
		r.line("WORKDIR %s", folder)
		r.folder = folder
	}
}

// app returns where the image holds the app itself, which may be a part of all that is built.
func (r *renderer) app() string { return path.Join(appDir, r.plan.AppDir()) }

func (r *renderer) apt(order []string) {
	var packages []string
	for _, name := range order {
		for _, pkg := range r.native.Phases[name].AptPkgs {
			if !slices.Contains(packages, pkg) {
				packages = append(packages, pkg)
			}
		}
	}
	if len(packages) > 0 {
		r.line(aptInstall, strings.Join(packages, " "))
	}
}

// aptInstall keeps what it downloads in cache mounts. The archives have a folder of their own there, because images of
// Debian and Ubuntu are set up to empty the usual one.
const aptInstall = `RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    mkdir -p /var/cache/apt/kept/partial && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dir::Cache::archives=/var/cache/apt/kept %s`

func (r *renderer) environment() {
	for _, name := range slices.Sorted(maps.Keys(r.plan.Variables)) {
		r.line("ENV %s=%s", name, quoteEnv(r.plan.Variables[name]))
	}
}

// searchPaths prepends the phases' paths to PATH. The profiles do it because a login shell resets PATH; /etc/profile.d
// serves a start.user that is not root.
func (r *renderer) searchPaths(order []string) {
	var paths []string
	for _, name := range order {
		for _, dir := range r.native.Phases[name].Paths {
			if rest, ok := strings.CutPrefix(dir, "~"); ok {
				dir = "$HOME" + rest // a tilde means nothing inside quotes
			}
			for _, dir := range r.besides(dir) {
				if !slices.Contains(paths, dir) {
					paths = append(paths, dir)
				}
			}
		}
	}
	if len(paths) > 0 {
		r.line(`RUN echo 'export PATH="%s:$PATH"' | tee -a /etc/profile.d/slipway.sh >> /root/.profile`, strings.Join(paths, ":"))
	}
}

// besides returns a folder of the search path, after the app's own where the app is a part of what is built.
func (r *renderer) besides(dir string) []string {
	rest, ok := strings.CutPrefix(dir, appDir+"/")
	if !ok || r.app() == appDir {
		return []string{dir}
	}
	return []string{path.Join(r.app(), rest), dir}
}

func (r *renderer) phase(name string, p nativePhase) {
	if len(p.Cmds) == 0 {
		return
	}
	r.line("\n# %s", name)
	install, folder := phaseKind(name) == "install", r.plan.AppDir()
	if c := r.plan.Context; install && c != nil && c.Runs != deployment.ContextRunsNone {
		folder = "." // where it runs
	} else if phaseKind(name) != "setup" {
		r.in(r.app())
	}
	if p.OnlyIncludeFiles == nil && install && len(r.plan.InstallFiles) > 0 {
		r.copyInstallFiles()
	} else {
		r.copySources(folder, p.OnlyIncludeFiles)
	}
	for _, command := range p.Cmds {
		if strings.TrimSpace(command) != "" {
			r.line("RUN %s%s", r.mounts(name, p), runnable(command))
		}
	}
}

// copySources copies what a phase needs of a folder: nil means the whole source.
func (r *renderer) copySources(folder string, files []string) {
	if r.allCopied {
		return
	}
	if files == nil {
		r.line("COPY . %s", appDir)
		r.allCopied = true
		return
	}
	for _, file := range files {
		from := file
		if folder != "." {
			from = path.Join(folder, file)
		}
		r.line("COPY %s", jsonArray(from, destination(folder, file)))
	}
}

// destination returns where a file of a folder goes; what a pattern matches goes into the pattern's folder.
func destination(folder, file string) string {
	if strings.ContainsAny(file, "*?") {
		return path.Join(appDir, folder, path.Dir(file)) + "/"
	}
	return path.Join(appDir, folder, file)
}

// mounts returns the flags of a RUN: the phase's cache directories, whose ids BuildKit keeps apart per project, and the
// secrets. Setup installs tools before any code is there and gets no secrets.
func (r *renderer) mounts(name string, p nativePhase) string {
	var flags []string
	for _, dir := range p.CacheDirectories {
		flags = append(flags, "--mount=type=cache,target="+r.cacheTarget(dir))
	}
	if phaseKind(name) != "setup" {
		for _, secret := range r.plan.SecretNames {
			flags = append(flags, fmt.Sprintf("--mount=type=secret,id=%s,env=%s", secret, secret))
		}
	}
	if len(flags) == 0 {
		return ""
	}
	return strings.Join(flags, " \\\n    ") + " \\\n    "
}

func (r *renderer) cacheTarget(dir string) string {
	if rest, ok := strings.CutPrefix(dir, "~"); ok {
		return path.Join("/root", rest)
	}
	if path.IsAbs(dir) {
		return path.Clean(dir)
	}
	return path.Join(r.app(), dir)
}

// start writes the last part: in the build image, or in an image that gets the result alone.
func (r *renderer) start(order []string) {
	r.line("\n# start")
	if r.native.Start.RunImage == "" {
		r.copySources(".", nil)
	} else {
		r.runStage(order)
	}
	r.in(r.app())
	r.user()
	if _, set := r.plan.Variables[npmShell]; !set && npmStart.MatchString(r.native.Start.Cmd) {
		r.line(`ENV %s="/bin/bash"`, npmShell)
	}
	r.line("EXPOSE %d", r.plan.Port)
	r.line("ENTRYPOINT []")
	r.line("CMD %s", jsonArray("/bin/bash", "-lc", withExec(r.native.Start.Cmd)))
}

// withoutRights is whom an app runs as that asks for no rights and for nobody else.
const withoutRights = "slipway"

// runsAs returns whom the app runs as, "" for root.
func (r *renderer) runsAs() string {
	if r.native.Start.User == "" && r.plan.NonRoot {
		return withoutRights
	}
	return r.native.Start.User
}

// user makes the app run as whom the plan names. It gets the folder of the app, though not what lies in it: that would write the
// layers of the code and of its packages once more. What nix has installed is root's, who lets others through to it.
func (r *renderer) user() {
	user := r.runsAs()
	if user == "" {
		return
	}
	r.line("RUN (id -u %s >/dev/null 2>&1 || useradd --create-home %s) && chown %s %s", user, user, user, r.app())
	if r.native.hasNix() && r.native.Start.RunImage == "" {
		r.line("RUN chmod a+x /root && echo 'export PATH=\"/root/.nix-profile/bin:$PATH\"' >> /etc/profile.d/slipway.sh")
	}
	r.line("USER %s", user)
}

// npm runs a script in sh, which waits for the app and passes no signal on; bash becomes the app. Only starting is changed:
// the scripts of a build were written for sh.
const npmShell = "NPM_CONFIG_SCRIPT_SHELL"

var npmStart = regexp.MustCompile(`(^|[ ;&|])npm +(run|start)\b`)

func (r *renderer) runStage(order []string) {
	r.line("FROM %s", r.native.Start.RunImage)
	r.folder = ""
	r.shell()
	r.line("COPY --from=build /etc/ssl/certs /etc/ssl/certs")
	if r.native.Start.OnlyIncludeFiles == nil {
		r.line("COPY --from=build %s %s", appDir, appDir)
	}
	for _, file := range r.native.Start.OnlyIncludeFiles {
		r.line("COPY --from=build %s", jsonArray(path.Join(r.app(), file), destination(r.plan.AppDir(), file)))
	}
	if len(r.plan.Assets) > 0 {
		r.line("COPY --from=build %s %s", assetsDir, assetsDir)
	}
	r.environment()
	r.searchPaths(order)
}

// file writes a file of the plan into the image.
func (r *renderer) file(name, content string) { r.WriteString(heredocFile(name, content)) }
