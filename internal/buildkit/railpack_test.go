package buildkit_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// frontendImage puts the stand-in for Railpack's frontend into the stack's registry and returns its name.
func frontendImage(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "frontend")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, "./buildkittest/railpackfrontend")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return executable(program) })
	require.NoError(t, err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	require.NoError(t, err)
	image, err = mutate.Config(image, v1.Config{Entrypoint: []string{"/frontend"}})
	require.NoError(t, err)
	ref, err := name.ParseReference(stack.Registry+"/railpack-frontend:"+uuid.NewString(), name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	return ref.String()
}

// executable is the tar of one program.
func executable(path string) (io.ReadCloser, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	writer := tar.NewWriter(&content)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(path), Size: int64(len(data)), Mode: 0o755}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(data); err != nil {
		return nil, err
	}
	return io.NopCloser(&content), writer.Close()
}

const railpackPlan = `{
  "steps": [{"name": "build", "inputs": [{"image": "docker.io/library/debian:bookworm-slim"}], "commands": [
    {"src": ".", "dest": "/app"},
    {"cmd": "sh -c 'echo the token has ${#TOKEN} letters, $(ls /app | paste -sd,); echo $TOKEN | wc -c > /app/length; test -d /cache'"}
  ]}],
  "secrets": ["TOKEN"],
  "deploy": {"startCommand": "cat /app/length"}
}`

func TestSolveBuildsAPlanOfRailpackWithItsFrontend(t *testing.T) {
	t.Parallel()
	r := request(t, railpackPlan, map[string]string{"main.txt": "x", ".git/config": "y"})
	r.Frontend, r.Ignore, r.Secrets = frontendImage(t), []string{"**/.git"}, map[string]string{"TOKEN": "four"}
	solve := func(want string) {
		r.Ref = uuid.NewString()
		s := &transcript{}
		_, err := stack.Builder(t).Solve(t.Context(), r, s)
		require.NoError(t, err, s.text())
		require.Contains(t, s.text(), want)
	}
	solve("the token has 4 letters, main.txt\n")
	config, err := pull(t, r.Image).ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"/bin/bash", "-c"}, config.Config.Entrypoint)
	require.Equal(t, []string{"cat /app/length"}, config.Config.Cmd)
	require.Contains(t, files(t, r.Image), "app/length")
	require.NotContains(t, files(t, r.Image), "app/.git")

	solve(" CACHED\n")
	r.Secrets["TOKEN"] = "seven77"
	solve("the token has 7 letters")
	r.NoCache = true
	solve("the token has 7 letters")
}

func TestSolveRunsNoOtherFrontend(t *testing.T) {
	t.Parallel()
	r := request(t, railpackPlan, nil)
	r.Frontend = stack.Registry + "/other-frontend:1"
	_, err := stack.Builder(t).Solve(t.Context(), r, &transcript{})
	var failure *deployment.Failure
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "build.frontend_refused", failure.Code)
	require.Equal(t, deployment.ClassPlatform, failure.Class)
}
