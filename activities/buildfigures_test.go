package activities_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestBuildImage_KeepsFiguresWithoutSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setSecret()
	before := b.liveWith(digestOf("before"))
	b.shelf.layers["registry:5000/app@"+digestOf("before")] = []deployment.Layer{{Digest: "sha256:a", Bytes: 5_000_000}}
	b.builder.layers = []deployment.Layer{{Digest: "sha256:a", Bytes: 5_000_000}, {Digest: "sha256:b", Bytes: 1_200_000}}
	b.builder.figures = deployment.BuildFigures{
		Steps: 4, Cached: 1, Seconds: 12.3,
		Phases:   []deployment.PhaseFigures{{Name: "install", Seconds: 9.5}, {Name: "push", Seconds: 1}},
		Vertices: []deployment.VertexFigures{{Name: "[2/2] RUN curl\n-H " + secret + strings.Repeat("x", 500), Seconds: 9.5}},
	}
	d := b.deploy()
	_, err := b.builds(d)
	require.NoError(t, err)

	said := strings.Join(b.log(d), "\n")
	for _, line := range []string{
		"built in 12.3 s, 1 of 4 steps from cache", "install 9.5 s, push 1.0 s", "image of 6.2 MB in 2 layers, 1 of them (1.2 MB) not in the image of #1",
	} {
		require.Contains(t, said, line)
	}
	figures := b.get(d).Figures
	require.Equal(t, &deployment.ImageFigures{Layers: 2, Bytes: 6_200_000, Changed: &deployment.ImageChanges{Since: before.Number, Layers: 1, Bytes: 1_200_000}}, figures.Image)
	require.NotContains(t, figures.Vertices[0].Name, secret)
	require.NotContains(t, figures.Vertices[0].Name, "\n")
	require.Less(t, len(figures.Vertices[0].Name), 200)
	history := b.historyOf(d)
	require.NotContains(t, history, "install", "the figures stay out of the history")
}

func TestBuildImage_WithoutAnImageToCompareWith(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.builder.layers = []deployment.Layer{{Digest: "sha256:a", Bytes: 999}}
	d := b.deploy()
	_, err := b.builds(d)
	require.NoError(t, err)
	require.Equal(t, &deployment.ImageFigures{Layers: 1, Bytes: 999}, b.get(d).Figures.Image)
	require.Contains(t, b.log(d), "image of 999 B in 1 layers")
}
