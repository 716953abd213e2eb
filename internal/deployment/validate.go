package deployment

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// FieldError says what is wrong with one field of a request and how to put it right.
type FieldError struct {
	Field string // JSON path, e.g. "health_check.path"
	Fault string
	Fix   string
}

// Error returns "field: fault".
func (e *FieldError) Error() string { return e.Field + ": " + e.Fault }

func fieldError(field, fix, format string, args ...any) *FieldError {
	return &FieldError{Field: field, Fault: fmt.Sprintf(format, args...), Fix: fix}
}

var (
	projectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hexPrefix   = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
	scpLikeURL  = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:]`)
	uuidShape   = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)
)

// Limits of what a request may hold.
const (
	MaxEnvValueBytes = 32 << 10
	maxURL           = 2048
	maxRef           = 255
	maxCommand       = 4096
	maxPath          = 512
)

// ValidateProjectName checks a project's name: it becomes a DNS label, so it is one.
func ValidateProjectName(name string) *FieldError {
	const fix = "use 1 to 63 lower-case letters, digits and hyphens, starting and ending with a letter or digit"
	switch {
	case name == "":
		return fieldError("name", fix, "is empty")
	case len(name) > maxLabel:
		return fieldError("name", fix, "has %d characters, more than %d", len(name), maxLabel)
	case uuidShape.MatchString(name):
		return fieldError("name", fix, "looks like an id, so that the two could not be told apart")
	case strings.HasSuffix(name, "-preview"):
		return fieldError("name", `choose a name that does not end in "-preview"`, `ends in "-preview", which is kept for preview host names`)
	case !projectName.MatchString(name):
		return fieldError("name", fix, "has characters that a host name cannot have")
	}
	return nil
}

// ValidateRepoURL checks the shape of a repository's URL against the allowed schemes. Addresses are guarded where the
// connection is made (internal/source), because a name may resolve to something else by then.
func ValidateRepoURL(raw string, schemes []string) *FieldError {
	fix := "give a URL with scheme " + strings.Join(schemes, " or ") + ", e.g. https://git.example.com/team/app.git"
	if slices.Contains(schemes, "ssh") {
		fix += " or git@git.example.com:team/app.git"
	}
	if raw == "" {
		return fieldError("repo_url", fix, "is empty")
	}
	if len(raw) > maxURL {
		return fieldError("repo_url", fix, "has %d characters, more than %d", len(raw), maxURL)
	}
	if hasControl(raw) || strings.HasPrefix(raw, "-") {
		return fieldError("repo_url", fix, "is not a URL")
	}
	u, err := ParseRepoURL(raw)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return fieldError("repo_url", fix, "is not a URL with a scheme and a host")
	}
	if !slices.Contains(schemes, u.Scheme) {
		return fieldError("repo_url", fix, "has scheme %q, which is not allowed", u.Scheme)
	}
	if u.Hostname() == "" {
		return fieldError("repo_url", fix, "has no host")
	}
	if _, hasPassword := u.User.Password(); hasPassword || (u.User != nil && u.Scheme != "ssh") {
		return fieldError("repo_url", "leave credentials out of the URL", "holds credentials, which would end up in logs")
	}
	if strings.HasPrefix(u.Path, "-") {
		return fieldError("repo_url", "write it as ssh://user@host/path", "has a path that git would take for an option")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return fieldError("repo_url", "leave out everything from ? or # on", "has a query or a fragment")
	}
	return nil
}

// ValidateRootDir checks that dir stays inside the repository.
func ValidateRootDir(dir string) *FieldError {
	const fix = `give a folder inside the repository with forward slashes, e.g. "apps/web", or leave it out for the root`
	switch {
	case len(dir) > maxPath:
		return fieldError("root_dir", fix, "has %d characters, more than %d", len(dir), maxPath)
	case hasControl(dir), strings.Contains(dir, `\`):
		return fieldError("root_dir", fix, "has characters that a path cannot have")
	case path.IsAbs(dir):
		return fieldError("root_dir", fix, "is an absolute path")
	}
	if clean := path.Clean(dir); clean == ".." || strings.HasPrefix(clean, "../") {
		return fieldError("root_dir", fix, "leads out of the repository")
	}
	return nil
}

// ValidateRef checks a branch, tag or commit as a person gave it. The rules for names are those of git-check-ref-format
// that matter for safety and clarity; the remote has the last word on whether it exists.
func ValidateRef(ref Ref) *FieldError {
	field := string(ref.Kind)
	if ref.Kind == RefDefault {
		return nil
	}
	if ref.Kind == RefCommit {
		if !hexPrefix.MatchString(ref.Name) {
			return fieldError(field, "give 7 to 40 lower-case hex digits; all 40 always work", "is not a commit id")
		}
		return nil
	}
	fix := fmt.Sprintf("give the name of a %s as `git %s` shows it", ref.Kind, ref.Kind)
	switch name := ref.Name; {
	case name == "":
		return fieldError(field, fix, "is empty")
	case len(name) > maxRef:
		return fieldError(field, fix, "has %d characters, more than %d", len(name), maxRef)
	case strings.HasPrefix(name, "-"):
		return fieldError(field, fix, "starts with a hyphen")
	case hasControl(name) || strings.ContainsAny(name, " ~^:?*[\\"),
		strings.Contains(name, ".."), strings.Contains(name, "//"), strings.Contains(name, "@{"), strings.Contains(name, "/."),
		strings.HasPrefix(name, "/"), strings.HasPrefix(name, "."), strings.HasSuffix(name, "/"),
		strings.HasSuffix(name, "."), strings.HasSuffix(name, ".lock"), name == "@":
		return fieldError(field, fix, "is not a name that git allows")
	}
	return nil
}

// ValidateEnvironmentName checks the name of an environment: production, branch/<name> or pr/<n>.
func ValidateEnvironmentName(name string) *FieldError {
	const fix = `use "production", "branch/<name>" or "pr/<number>"`
	if name == string(KindProduction) {
		return nil
	}
	if branch, ok := strings.CutPrefix(name, "branch/"); ok {
		if ValidateRef(Ref{Kind: RefBranch, Name: branch}) == nil {
			return nil
		}
	}
	if number, ok := strings.CutPrefix(name, "pr/"); ok && regexp.MustCompile(`^[1-9][0-9]{0,9}$`).MatchString(number) {
		return nil
	}
	return fieldError("environment", fix, "is not the name of an environment")
}

// ValidateEnvVar checks one variable; i is its place in the request's list.
func ValidateEnvVar(i int, v EnvVar) *FieldError {
	field := func(name string) string { return fmt.Sprintf("vars[%d].%s", i, name) }
	switch {
	case !envName.MatchString(v.Name) || len(v.Name) > maxRef:
		return fieldError(field("name"), "use letters, digits and underscores, not starting with a digit, 255 at most", "is not the name of a variable")
	case v.Name == "PORT", strings.HasPrefix(v.Name, "SLIPWAY_"):
		return fieldError(field("name"), "leave it out; set the project's port for PORT", "%s is set by slipway", v.Name)
	case len(v.Value) > MaxEnvValueBytes:
		return fieldError(field("value"), "keep it under 32 KiB", "has %d bytes", len(v.Value))
	case strings.ContainsRune(v.Value, 0):
		return fieldError(field("value"), "leave it out", "holds a NUL byte, which no environment can hold")
	case v.Target != TargetBuild && v.Target != TargetRuntime && v.Target != TargetBoth:
		return fieldError(field("target"), "use build, runtime or both", "is %q", string(v.Target))
	}
	return nil
}

// Validate checks a project's settings and returns every fault. The repository's URL is not among them: whoever fetches
// from it knows which are allowed.
func (p Project) Validate() []*FieldError {
	faults := []*FieldError{
		ValidateProjectName(p.Name), ValidateRootDir(p.RootDir),
		validateCommand("install_command", p.InstallCommand), validateCommand("build_command", p.BuildCommand),
		validateCommand("start_command", p.StartCommand), validateCommand("release_command", p.ReleaseCommand), p.HealthCheck.validate(),
		oneOf("builder", p.Builder, BuilderAuto, BuilderNixpacks, BuilderDockerfile, BuilderStatic, BuilderRailpack),
		inRange("port", p.Port, 0, 65535), inRange("build_timeout_seconds", p.BuildTimeoutSeconds, 1, 6*3600),
		inRange("release_timeout_seconds", p.ReleaseTimeoutSeconds, 1, 6*3600),
	}
	faults = append(faults, p.Build.validate()...)
	faults = append(faults, p.validateRailpack()...)
	faults = append(faults, p.Resources.validate("resources")...)
	faults = append(faults, p.PreviewResources.validate("preview_resources")...)
	if p.ProductionBranch != "" {
		if f := ValidateRef(Ref{Kind: RefBranch, Name: p.ProductionBranch}); f != nil {
			f.Field = "production_branch"
			faults = append(faults, f)
		}
	}
	var found []*FieldError
	for _, f := range faults {
		if f != nil {
			found = append(found, f)
		}
	}
	return found
}

func (h HealthCheck) validate() *FieldError {
	if !strings.HasPrefix(h.Path, "/") || len(h.Path) > maxPath || hasControl(h.Path) || strings.Contains(h.Path, " ") {
		return fieldError("health_check.path", `give a path that starts with "/"`, "is not a path")
	}
	if h.Status != 0 && (h.Status < 100 || h.Status > 599) {
		return fieldError("health_check.status", "give an HTTP status from 100 to 599, or leave it out for any below 500", "is %d", h.Status)
	}
	return inRange("health_check.timeout_seconds", h.TimeoutSeconds, 1, 3600)
}

func validateCommand(field, command string) *FieldError {
	if len(command) > maxCommand {
		return fieldError(field, "put it into a script in the repository and call that", "has %d characters, more than %d", len(command), maxCommand)
	}
	if hasControl(command) {
		return fieldError(field, "write it on one line; join commands with &&", "has a line break or another control character")
	}
	return nil
}

func inRange(field string, n, low, high int) *FieldError {
	if n < low || n > high {
		return fieldError(field, fmt.Sprintf("give a number from %d to %d", low, high), "is %d", n)
	}
	return nil
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
