package deployment_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestBuildFigures_Summary(t *testing.T) {
	t.Parallel()
	f := deployment.BuildFigures{Steps: 9, Cached: 2, Seconds: 83.6}
	require.Equal(t, []string{"built in 1 min 24 s, 2 of 9 steps from cache"}, f.Summary())
	f.Phases = []deployment.PhaseFigures{{Name: "context", Seconds: 0.04}, {Name: "install", Seconds: 61}}
	f.Image = &deployment.ImageFigures{Layers: 3, Bytes: 142_400_000, Changed: &deployment.ImageChanges{Since: 12}}
	require.Equal(t, []string{"context 0.0 s, install 1 min 1 s", "image of 142 MB in 3 layers, all of them in the image of #12"}, f.Summary()[1:])
	f.Image.Changed = nil
	f.Image.Bytes = 1_500
	require.Equal(t, "image of 1.5 kB in 3 layers", f.Summary()[2])
}

func TestChangedSince(t *testing.T) {
	t.Parallel()
	earlier := []deployment.Layer{{Digest: "a", Bytes: 1}, {Digest: "b", Bytes: 2}}
	layers := []deployment.Layer{{Digest: "b", Bytes: 2}, {Digest: "c", Bytes: 4}, {Digest: "d", Bytes: 8}}
	require.Equal(t, &deployment.ImageChanges{Since: 7, Layers: 2, Bytes: 12}, deployment.ChangedSince(7, earlier, layers))
}
