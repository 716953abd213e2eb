package buildkit_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestFailuresAreExplained(t *testing.T) {
	t.Parallel()
	b := stack.Builder(t)
	for name, c := range map[string]struct {
		dockerfile string
		code       string
		message    string
		fix        string
		line       string // is among the failure's lines
		exit       int
	}{
		"command": {
			dockerfile: from + "RUN --mount=type=cache,target=/c for i in $(seq 60); do echo line $i; done; exit 3\n",
			code:       "build.command_failed", message: "RUN for i in $(seq 60); do echo line $i; done; exit 3: exit code 3", line: "line 60", exit: 3,
		},
		"killed":         {dockerfile: from + "RUN sh -c 'kill -9 $$'; exit $?\n", code: "build.out_of_memory", message: "was killed", exit: 137},
		"no program":     {dockerfile: from + `RUN ["no-such-program"]`, code: "build.command_failed", message: "no-such-program", line: "executable file not found", exit: 1},
		"instruction":    {dockerfile: from + "RUNN echo\n", code: "build.dockerfile_invalid", message: "unknown instruction: RUNN", line: ">>> RUNN echo"},
		"no stage":       {dockerfile: "RUN echo\n", code: "build.dockerfile_invalid", message: "no build stage", line: ">>> RUN echo"},
		"empty":          {dockerfile: "", code: "build.dockerfile_invalid", message: "cannot be empty"},
		"missing file":   {dockerfile: from + "COPY nope /\n", code: "build.file_missing", message: `"/nope" is not in the build context`, line: ">>> COPY nope /"},
		"network host":   {dockerfile: from + "RUN --network=host true\n", code: "build.not_allowed", message: "network.host is not allowed"},
		"base image":     {dockerfile: "FROM node:20\n", code: "build.base_image_missing", message: "base image node:20 was not found", fix: "slipway admin images add library/node:20 TARBALL", line: ">>> FROM node:20"},
		"missing digest": {dockerfile: "FROM x/y@sha256:" + strings.Repeat("0", 64) + "\n", code: "build.base_image_missing", message: "base image x/y@sha256:0000"},
		"base unreachable": {
			dockerfile: "FROM nowhere.invalid/x/y:1\n", code: "build.base_image_unreachable", message: "base image nowhere.invalid/x/y:1 cannot be fetched",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(t, c.dockerfile, nil)
			_, err := b.Solve(t.Context(), r, &transcript{})
			var f *deployment.Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, c.code, f.Code, f.Message)
			require.Contains(t, f.Message, c.message)
			require.Contains(t, f.Fix, c.fix)
			require.NotEmpty(t, f.Fix)
			require.LessOrEqual(t, len(f.Lines), deployment.MaxFailureLines)
			require.Contains(t, strings.Join(f.Lines, "\n"), c.line)
			if c.code == "build.base_image_unreachable" {
				require.Equal(t, deployment.ClassTransient, f.Class)
				require.Equal(t, deployment.ComponentRegistry, f.Component)
			} else {
				require.Equal(t, deployment.ClassUser, f.Class)
			}
			if c.exit != 0 {
				require.NotNil(t, f.ExitCode)
				require.Equal(t, c.exit, *f.ExitCode)
			}
		})
	}
}

// A command's failure shows the instruction that ran it, marked, above the last lines of output.
func TestCommandFailureShowsItsInstruction(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("true\n", 2*deployment.MaxFailureLines)
	for name, c := range map[string]struct {
		instruction, marked, last string
	}{
		"one line":      {"RUN for i in $(seq 90); do echo line $i; done; exit 3\n", ">>> RUN for i in", "line 90"},
		"here-document": {"RUN <<EOF\nset -e\n" + long + "echo the end\nexit 3\nEOF\n", ">>> RUN <<EOF", "the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := failure(t, stack.Builder(t), request(t, from+c.instruction, nil))
			require.Equal(t, "build.command_failed", f.Code)
			require.LessOrEqual(t, len(f.Lines), deployment.MaxFailureLines)
			marked := slices.IndexFunc(f.Lines, func(line string) bool { return strings.Contains(line, c.marked) })
			require.NotEqual(t, -1, marked, strings.Join(f.Lines, "\n"))
			require.Less(t, marked, deployment.MaxFailureLines/2)
			require.Equal(t, c.last, f.Lines[len(f.Lines)-1])
		})
	}
}

func TestDiskFullIsThePlatforms(t *testing.T) {
	t.Parallel()
	r := request(t, from+"RUN --mount=type=tmpfs,target=/small,size=4096 head -c 100000 /dev/zero > /small/file\n", nil)
	f := failure(t, stack.Builder(t), r)
	require.Equal(t, "build.disk_full", f.Code)
	require.Equal(t, deployment.ClassPlatform, f.Class)
}

func TestRegistryThatIsDownIsTransient(t *testing.T) {
	t.Parallel()
	r := request(t, from+"RUN echo "+uuid.NewString()+"\n", nil)
	r.Image = "127.0.0.1:1/test:" + r.Ref
	f := failure(t, stack.Builder(t), r)
	require.Equal(t, "build.push_failed", f.Code)
	require.Equal(t, deployment.ClassTransient, f.Class)

	digest, err := stack.Builder(t).Lookup(t.Context(), r.Ref)
	require.NoError(t, err)
	require.Empty(t, digest, "what was not pushed does not count as built")
}

func TestBuilderThatIsDownIsTransient(t *testing.T) {
	t.Parallel()
	b, err := buildkit.New(t.Context(), buildkit.Options{Address: "unix://" + filepath.Join(t.TempDir(), "sock")})
	require.NoError(t, err)
	f := failure(t, b, request(t, from, nil))
	require.Equal(t, "build.builder_unavailable", f.Code)
	require.Equal(t, deployment.ClassTransient, f.Class)
	_, err = b.Lookup(t.Context(), "ref")
	require.ErrorAs(t, err, &f)
	require.Equal(t, "build.builder_unavailable", f.Code)
}

// failure solves and returns the failure that this ends in.
func failure(t *testing.T, b *buildkit.Builder, r deployment.BuildRequest) *deployment.Failure {
	t.Helper()
	_, err := b.Solve(t.Context(), r, &transcript{})
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	return f
}
