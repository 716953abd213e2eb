package buildkit

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc/codes"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// What BuildKit says in words only: its errors carry a type for a command's exit code and for a place in the Dockerfile,
// and for nothing else.
var (
	diskFull    = regexp.MustCompile(`(?i)no space left on device`)
	unreachable = regexp.MustCompile(`dial tcp|connection re(fused|set)|i/o timeout|no such host|TLS handshake|unexpected EOF|server misbehaving|50[0234] `)
	denied      = regexp.MustCompile(`\b40[13]\b|[Uu]nauthorized|[Ff]orbidden|denied|insufficient_scope|authorization failed`)
	baseImage   = regexp.MustCompile(`failed to resolve source metadata for ([^\s:]+(?::\d+/[^\s:]+)?(?::[^\s:]+)?(?:@sha256:[0-9a-f]+)?)`)
	missingFile = regexp.MustCompile(`failed to (?:compute cache key|calculate checksum).*?("[^"]+"): not found`)
	noProgram   = regexp.MustCompile(`executable file not found|exec format error|unable to start container process`)
	refused     = regexp.MustCompile(`source "([^"]+)" denied by policy`)
	noFrontend  = regexp.MustCompile(`invalid frontend: gateway\.v0|is not an allowed gateway source`)
	// What shells, libc and runtimes say when the kernel gives them no further process, and when it takes or refuses memory.
	noProcess  = regexp.MustCompile(`(?i)cannot fork|fork: .*(?:resource temporarily unavailable|try again)|can't start new thread|pthread_create failed|spawn \S+ EAGAIN`)
	noMemory   = regexp.MustCompile(`(?m)(?:^|line \d+: +\d+ )Killed\b|heap out of memory|Cannot allocate memory|std::bad_alloc|^MemoryError|fatal error: runtime: out of memory`)
	noSSHKey   = regexp.MustCompile(`unset ssh forward key|no SSH key "[^"]*" forwarded|ssh\.SSH`)
	notAllowed = regexp.MustCompile(`is not allowed|entitlement`)
)

// classify says whose fault a solve's error is, and what its owner needs to see.
func classify(err error, address string, tale *narrator, steps *Steps) error {
	text := err.Error()
	failed := tale.failedVertex(err)
	var exit *gatewaypb.ExitError
	switch {
	case diskFull.MatchString(text), failed != nil && diskFull.MatchString(strings.Join(failed.tail, "\n")):
		return deployment.DiskFailure("build.disk_full", "free space for the builder "+address+" or lower its cache limits", "build image: %w", err)
	case errors.As(err, &exit):
		return commandFailure(err, exit, failed, steps)
	case grpcerrors.Code(err) == codes.Unavailable:
		return unavailable(address, err)
	case noFrontend.MatchString(text):
		return deployment.PlatformFailure("build.frontend_refused",
			`allow it in the builder's buildkitd.toml, in [frontend."gateway.v0"]: enabled = true and allowedRepositories with the image of Railpack's frontend`,
			"the builder %s does not run Railpack's frontend: %w", address, rootOf(err))
	case strings.Contains(text, "failed to push"):
		return pushFailure(err, text)
	}
	if f := sourceFailure(err, text); f != nil {
		return f
	}
	return deployment.PlatformFailure("build.solve_failed", "look into the log of the builder "+address, "build image: %w", err)
}

// failedVertex finds the vertex that an error names.
func (n *narrator) failedVertex(err error) *vertex {
	var at *errdefs.VertexError
	if !errors.As(err, &at) {
		return nil
	}
	return n.vertices[digest.Digest(at.Digest)]
}

// killed is the exit code of a process that ended by signal 9, which is how the kernel ends one that has no memory left.
const killed = 128 + 9

func commandFailure(err error, exit *gatewaypb.ExitError, at *vertex, steps *Steps) error {
	command, output := "a command", []string(nil)
	if at != nil {
		command, output = commandOf(at.name), at.tail
	}
	code := int(exit.ExitCode)
	f := deployment.UserFailure("build.command_failed", "read the lines that the command printed, correct the cause and deploy again",
		"%s: exit code %d", command, code)
	said := strings.Join(output, "\n")
	switch {
	case code == killed && steps.endedLately():
		f = deployment.UserFailure("build.disk_exceeded", "let the command write less to the disk; if it has to write that much, have the operator give the build host more room",
			"%s: was ended, because the build host's disk was nearly full and nothing had written more to it", command)
	case code == killed || grpcerrors.Code(exit.Err) == codes.ResourceExhausted:
		f = deployment.UserFailure("build.out_of_memory", "let the command use less memory, or give build steps more (SLIPWAY_BUILD_MEMORY)",
			"%s: was killed, most often because it ran out of memory", command)
	case noProcess.MatchString(said):
		f = deployment.UserFailure("build.too_many_processes", "let the command run fewer processes at a time, or let build steps have more (SLIPWAY_BUILD_PROCESSES)",
			"%s: exit code %d, after it was given no further process", command, code)
	case noMemory.MatchString(said):
		f = deployment.UserFailure("build.out_of_memory", "let the command use less memory, or give build steps more (SLIPWAY_BUILD_MEMORY)",
			"%s: exit code %d, after it ran out of memory", command, code)
	}
	f.ExitCode, f.Lines = &code, below(excerpt(err), output)
	return f
}

// below puts the end of a command's output below the instruction that ran it. Of an instruction that is long itself, a
// here-document say, the beginning is enough.
func below(instruction, output []string) []string {
	instruction = instruction[:min(len(instruction), deployment.MaxFailureLines/2)]
	room := deployment.MaxFailureLines - len(instruction)
	return slices.Concat(instruction, output[max(0, len(output)-room):])
}

var (
	place = regexp.MustCompile(`^\[[^\]]*\] `)
	flags = regexp.MustCompile(`^([A-Z]+) (?:--\S+ )+`)
)

// commandOf shortens a vertex's name, "[2/5] RUN --mount=type=cache,target=/x npm ci", to what a person wrote to be run.
func commandOf(name string) string {
	return flags.ReplaceAllString(place.ReplaceAllString(name, ""), "$1 ")
}

func pushFailure(err error, text string) error {
	if denied.MatchString(text) {
		return deployment.PlatformFailure("build.push_denied", "give the worker a login that may push there (SLIPWAY_REGISTRY_AUTH_FILE), or name another registry", "push image: %w", err)
	}
	return deployment.AwayFailure(deployment.ComponentRegistry, "build.push_failed", "check that the registry runs and that the builder reaches it", "push image: %w", err)
}

// sourceFailure explains errors that lie in the Dockerfile or in what it names; nil when err is none.
func sourceFailure(err error, text string) error {
	lines := excerpt(err)
	if m := refused.FindStringSubmatch(text); m != nil {
		f := deployment.UserFailure("build.source_refused",
			"name a public host, commit the file to the repository, or add a base image to slipway's registry: slipway admin images add NAME TARBALL",
			"%s is refused: builds fetch from public hosts only", m[1])
		f.Lines = lines
		return f
	}
	if m := baseImage.FindStringSubmatch(text); m != nil {
		return baseImageFailure(err, text, m[1], lines)
	}
	var f *deployment.Failure
	switch m := missingFile.FindStringSubmatch(text); {
	case m != nil:
		f = deployment.UserFailure("build.file_missing", "commit the file, or take it out of the ignore patterns", "%s is not in the build context", m[1])
	case strings.Contains(text, "dockerfile parse error"), strings.Contains(text, "Dockerfile cannot be empty"):
		f = deployment.UserFailure("build.dockerfile_invalid", "correct the Dockerfile", "%w", rootOf(err))
	case notAllowed.MatchString(text):
		f = deployment.UserFailure("build.not_allowed", "leave out RUN --network=host and --security=insecure", "%w", rootOf(err))
	case noSSHKey.MatchString(text):
		f = deployment.UserFailure("build.ssh_unavailable",
			"give the project an SSH key (slipway credentials set) and its setting build_ssh, and mount it without an id", "%w", rootOf(err))
	case noProgram.MatchString(text):
		f = deployment.UserFailure("build.command_not_found", "install the program in an earlier step, or correct its name", "%w", rootOf(err))
	case unreachable.MatchString(text):
		f = deployment.TransientFailure("build.fetch_failed", "check that the builder reaches what the Dockerfile names", "%w", rootOf(err))
	case len(lines) > 0:
		f = deployment.UserFailure("build.dockerfile_invalid", "correct the lines that are marked", "%w", rootOf(err))
	default:
		return nil
	}
	f.Lines = lines
	return f
}

// baseImageFailure names the image as people write it, and in the fix as the registry has it: docker.io/library/x is
// taken from library/x.
func baseImageFailure(err error, text, full string, lines []string) error {
	stored := strings.TrimPrefix(full, "docker.io/")
	image := strings.TrimPrefix(stored, "library/")
	add := fmt.Sprintf("correct the name, or add the image to slipway's registry: slipway admin images add %s TARBALL", stored)
	var f *deployment.Failure
	switch {
	case denied.MatchString(text):
		f = deployment.UserFailure("build.base_image_denied", add, "base image %s is private or does not exist: %w", image, rootOf(err))
	case unreachable.MatchString(text):
		f = deployment.AwayFailure(deployment.ComponentRegistry, "build.base_image_unreachable", add, "base image %s cannot be fetched: %w", image, rootOf(err))
	default:
		f = deployment.UserFailure("build.base_image_missing", add, "base image %s was not found", image)
	}
	f.Lines = lines
	return f
}

// excerpt returns the lines of the Dockerfile around what an error points at.
func excerpt(err error) []string {
	var text strings.Builder
	for _, source := range errdefs.Sources(err) {
		if source.Print(&text) != nil {
			return nil
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
}

// rootOf takes the client's own words off the front of an error.
func rootOf(err error) error {
	return trimmed{err}
}

type trimmed struct{ error }

func (t trimmed) Error() string { return strings.TrimPrefix(t.error.Error(), "failed to solve: ") }

func (t trimmed) Unwrap() error { return t.error }
