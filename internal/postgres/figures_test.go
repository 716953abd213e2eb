package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestSetImage_FiguresAreThoseOfTheImage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.running("run")
	set := func(digest string, figures *deployment.BuildFigures) *deployment.BuildFigures {
		built := deployment.BuiltImage{Image: "app", Digest: digest, Input: "input", Figures: figures}
		require.NoError(t, b.SetImage(t.Context(), d.ID, "run", built))
		got, err := b.Deployment(t.Context(), d.ID)
		require.NoError(t, err)
		return got.Figures
	}
	figures := &deployment.BuildFigures{
		Steps: 3, Seconds: 1.5, Phases: []deployment.PhaseFigures{{Name: "build", Seconds: 1}}, Vertices: []deployment.VertexFigures{},
		Image: &deployment.ImageFigures{Layers: 2, Bytes: 3, Changed: &deployment.ImageChanges{Since: 1}},
	}
	require.Nil(t, set("sha256:1", nil))
	require.Equal(t, figures, set("sha256:1", figures))
	require.Equal(t, figures, set("sha256:1", nil), "the same image was found again")
	require.Nil(t, set("sha256:2", nil), "nobody saw how this one was built")
}

func TestImageBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	before := func(d deployment.Deployment) *deployment.Deployment {
		found, err := b.ImageBefore(t.Context(), d.ID)
		require.NoError(t, err)
		return found
	}
	first := b.shown(p, "production", "sha256:1")
	require.Nil(t, before(first))
	b.shown(p, "branch/next", "sha256:9")
	second := b.shown(p, "production", "sha256:2")
	failed := b.built(p, "production", "sha256:3") // never ready
	last := b.deploy(p, "production")
	require.NotEqual(t, failed.ID, before(last).ID)
	require.Equal(t, []any{second.Number, "app", "sha256:2"}, []any{before(last).Number, before(last).Image, before(last).ImageDigest})
	require.Equal(t, first.ID, before(second).ID)
}
