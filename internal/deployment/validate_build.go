package deployment

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

const maxBuildArgs, maxHeaders, maxStrict = 64, 64, 64

var (
	stageName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$") // token of RFC 9110
	headerPath = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()+,;=:@%/-]*\*?$`)
)

// validate returns every fault, with the field as the API calls it.
func (s BuildSettings) validate() []*FieldError {
	return slices.Concat(s.Dockerfile.validate(), s.Static.validate(), []*FieldError{
		validateStrict(s.Strict),
		oneOf("repairs", s.Repairs, RepairsOn, RepairsOff),
		oneOf("build_network", s.Network, BuildNetworkSandbox, BuildNetworkNone),
		oneOf("provenance", s.Provenance, ProvenanceOff, ProvenanceMin, ProvenanceMax),
	})
}

func (d DockerfileSettings) validate() []*FieldError {
	faults := []*FieldError{validateInside("dockerfile.path", "Dockerfile", d.Path)}
	if d.Target != "" && !stageName.MatchString(d.Target) {
		faults = append(faults, fieldError("dockerfile.target", "give the name of a stage, as in FROM ... AS name", "is not the name of a stage"))
	}
	if len(d.BuildArgs) > maxBuildArgs {
		faults = append(faults, fieldError("dockerfile.build_args", "keep to those that the Dockerfile declares", "are %d, more than %d", len(d.BuildArgs), maxBuildArgs))
	}
	for _, name := range slices.Sorted(maps.Keys(d.BuildArgs)) {
		faults = append(faults, validateBuildArg(name, d.BuildArgs[name]))
	}
	return faults
}

// validateBuildArg keeps the names that are BuildKit's own: they choose cache namespaces and syntax, not what is built.
func validateBuildArg(name, value string) *FieldError {
	field := "dockerfile.build_args." + name
	switch {
	case !envName.MatchString(name) || len(name) > maxRef:
		return fieldError(field, "use letters, digits and underscores, not starting with a digit, 255 at most", "is not the name of an argument")
	case strings.HasPrefix(name, "BUILDKIT_"), name == "SOURCE_DATE_EPOCH":
		return fieldError(field, "leave it out", "is set by slipway")
	case len(value) > maxCommand || strings.ContainsRune(value, 0):
		return fieldError(field, "keep it under 4096 characters; a secret belongs into a variable with target build", "is too long or holds a NUL byte")
	}
	return nil
}

func (s StaticSettings) validate() []*FieldError {
	var faults []*FieldError
	if s.Folder != "" {
		faults = append(faults, validateInside("static.folder", "dist", s.Folder))
	}
	if len(s.Headers) > maxHeaders {
		faults = append(faults, fieldError("static.headers", "give one header for many paths, with a path that ends in *", "are %d, more than %d", len(s.Headers), maxHeaders))
	}
	for i, h := range s.Headers {
		faults = append(faults, h.validate(fmt.Sprintf("static.headers[%d].", i)))
	}
	return faults
}

func (h StaticHeader) validate(at string) *FieldError {
	switch {
	case !headerPath.MatchString(h.Path) || len(h.Path) > maxPath:
		return fieldError(at+"path", `give a path that starts with "/" and may end in "*", e.g. "/assets/*", or "/*" for all`, "is not a path")
	case !headerName.MatchString(h.Name):
		return fieldError(at+"name", `give the name of an HTTP header, e.g. "X-Frame-Options"`, "is not the name of a header")
	case len(h.Value) > maxCommand || hasControl(h.Value):
		return fieldError(at+"value", "write it on one line of at most 4096 characters", "is too long or has a control character")
	}
	return nil
}

func validateStrict(codes []string) *FieldError {
	if len(codes) > maxStrict {
		return fieldError("strict", `give "all"`, "has %d codes, more than %d", len(codes), maxStrict)
	}
	for i, code := range codes {
		if _, known := warningKind(code); !known && code != StrictAll {
			return fieldError(fmt.Sprintf("strict[%d]", i), strictFix(code), "%q is not the code of a warning", code)
		}
	}
	return nil
}

func strictFix(code string) string {
	near := nearCodes(code)
	if len(near) == 0 {
		return `give codes of warnings, e.g. "node.version_defaulted", or "all"; docs/warnings.md lists them`
	}
	return fmt.Sprintf(`give "all" or codes of docs/warnings.md; near to it: %q`, near)
}

// validateInside checks a path that has to stay inside the root directory.
func validateInside(field, example, name string) *FieldError {
	fix := fmt.Sprintf("give a path inside the project's root_dir with forward slashes, e.g. %q", example)
	switch clean := path.Clean(name); {
	case len(name) > maxPath:
		return fieldError(field, fix, "has %d characters, more than %d", len(name), maxPath)
	case hasControl(name), strings.Contains(name, `\`):
		return fieldError(field, fix, "has characters that a path cannot have")
	case path.IsAbs(name):
		return fieldError(field, fix, "is an absolute path")
	case clean == "..", strings.HasPrefix(clean, "../"):
		return fieldError(field, fix, "leads out of the root directory")
	}
	return nil
}

func oneOf[T ~string](field string, value T, allowed ...T) *FieldError {
	if slices.Contains(allowed, value) {
		return nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	last := len(words) - 1
	return fieldError(field, "use "+strings.Join(words[:last], ", ")+" or "+words[last], "is %q", string(value))
}

// validateRailpack names the settings that Railpack's CLI and frontend cannot be told.
func (p Project) validateRailpack() []*FieldError {
	if p.Builder != BuilderRailpack {
		return nil
	}
	var faults []*FieldError
	refuse := func(given bool, field, fix string) {
		if given {
			faults = append(faults, fieldError(field, fix+", or take another builder", "cannot be used with builder railpack"))
		}
	}
	refuse(p.InstallCommand != "", "install_command", "write steps.install of railpack.json instead")
	refuse(p.Build.Static.Folder != "", "static.folder", "leave it out: Railpack serves static sites by itself")
	refuse(p.Build.Network == BuildNetworkNone, "build_network", "leave it out: Railpack fetches tools while it builds")
	refuse(p.Build.Reproducible, "reproducible", "leave it out: Railpack writes the time of each build into its image")
	refuse(p.Build.NonRoot, "non_root", "leave it out")
	return faults
}
