package buildkit_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestSolveBuildsTheTargetWithItsArguments(t *testing.T) {
	t.Parallel()
	r := request(t, "FROM debian:bookworm-slim AS one\nARG NAME=nobody\nRUN echo \"for $NAME\" > /one\nFROM one AS two\nRUN touch /two\n", nil)
	r.Target, r.BuildArgs = "one", map[string]string{"NAME": "a b"}
	r.NoCache = true
	s := &transcript{}
	_, err := stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	found := files(t, r.Image)
	require.Contains(t, found, "one")
	require.NotContains(t, found, "two")
	layers, err := pull(t, r.Image).Layers()
	require.NoError(t, err)
	require.Contains(t, contentOf(t, layers[len(layers)-1]), "for a b\n")
}

func TestSolveWithoutANetworkHasNone(t *testing.T) {
	t.Parallel()
	for network, interfaces := range map[deployment.BuildNetwork]string{deployment.BuildNetworkNone: "lo", deployment.BuildNetworkSandbox: "eth0,lo"} {
		r := request(t, from+"RUN cd /sys/class/net && echo \"has $(ls | sort | paste -sd,)\" # "+uuid.NewString()+"\n", nil)
		r.Network = network
		s := &transcript{}
		_, err := stack.Builder(t).Solve(t.Context(), r, s)
		require.NoError(t, err, s.text())
		require.Contains(t, s.text(), "has "+interfaces+"\n")
	}
}

func TestSolveKeepsToTheIgnorePatternsBesideADockerfile(t *testing.T) {
	t.Parallel()
	content := from + "COPY . /app\n"
	r := request(t, content, map[string]string{
		"deploy/web": content, "deploy/web.dockerignore": "secret\n", ".dockerignore": "public\n", "secret": "x", "public": "y",
	})
	r.DockerfilePath = "deploy/web"
	s := &transcript{}
	_, err := stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	found := files(t, r.Image)
	require.Contains(t, found, "app/public", "the file beside the Dockerfile stands instead of the general one")
	require.NotContains(t, found, "app/secret")
}

// Two builds that ran every step anew give one digest; without the setting the files that a step has made tell them apart.
func TestSolveIsReproducible(t *testing.T) {
	t.Parallel()
	committed := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	build := func(reproducible bool) (digest string, image v1.Image) {
		r := request(t, from+"WORKDIR /app\nCOPY file /app/file\nRUN date +%s > /dev/null; touch made\n", map[string]string{"file": "x"})
		r.Committed, r.Reproducible, r.NoCache = committed, reproducible, true
		s := &transcript{}
		out, err := stack.Builder(t).Solve(t.Context(), r, s)
		require.NoError(t, err, s.text())
		return out.Digest, pull(t, r.Image)
	}
	first, image := build(true)
	second, _ := build(true)
	require.Equal(t, first, second)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, committed, config.Created.UTC())

	loose, image := build(false)
	require.NotEqual(t, first, loose)
	config, err = image.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, committed, config.Created.UTC(), "the image has the commit's time all the same")
}

// A scanner is any image that writes in-toto statements where BuildKit's scanner protocol says (docs/attestations/sbom-protocol.md
// of BuildKit): this one is a shell script.
func TestSolveAttachesProvenanceAndAnSBOM(t *testing.T) {
	t.Parallel()
	scanner := request(t, from+`COPY <<'EOF' /scan
#!/bin/sh
printf '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"name":"scanned-%s"}}' \
  "$(ls "$BUILDKIT_SCAN_SOURCE" | grep -c marked)" > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
EOF
ENTRYPOINT ["/bin/sh", "/scan"]
`, nil)
	s := &transcript{}
	_, err := stack.Builder(t).Solve(t.Context(), scanner, s)
	require.NoError(t, err, s.text())

	secret := uuid.NewString()
	r := request(t, from+"RUN --mount=type=secret,id=TOKEN,env=TOKEN test -n \"$TOKEN\" && touch /marked\n", nil)
	r.Provenance, r.SBOMScanner, r.Secrets = deployment.ProvenanceMax, scanner.Image, map[string]string{"TOKEN": secret}
	s = &transcript{}
	_, err = stack.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	statements := attestations(t, r.Image)
	require.Len(t, statements, 2)
	require.Contains(t, statements["https://spdx.dev/Document"], "scanned-1")
	for kind, statement := range statements {
		require.NotContains(t, statement, secret, kind)
		require.Contains(t, kind, "https://")
	}
}

// attestations are the statements that an image index carries about its image, by predicate type.
func attestations(t *testing.T, image string) map[string]string {
	t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	require.NoError(t, err)
	index, err := remote.Index(ref)
	require.NoError(t, err)
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	found := map[string]string{}
	for _, m := range manifest.Manifests {
		if m.Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
			continue
		}
		attached, err := index.Image(m.Digest)
		require.NoError(t, err)
		layers, err := attached.Layers()
		require.NoError(t, err)
		for _, layer := range layers {
			text := contentOf(t, layer)
			var statement struct {
				PredicateType string `json:"predicateType"`
			}
			require.NoError(t, json.Unmarshal([]byte(text), &statement))
			found[statement.PredicateType] = text
		}
	}
	return found
}
