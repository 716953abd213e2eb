package docker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEndFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code          int
		oom           bool
		name, message string
	}{
		{137, true, "release.out_of_memory", "the app ran out of its 32 MB of memory and exited with code 137"},
		{1, true, "release.out_of_memory", "the app ran out of its 32 MB of memory and exited with code 1"}, // a child was killed
		{137, false, "release.out_of_memory", "the app was killed (exit code 137), most often because it ran out of its 32 MB of memory"},
		{7, false, "release.app_exited", "the app exited with code 7 before it was ready"},
	} {
		f := endFailure(test.code, test.oom, 32)
		require.Equal(t, test.name, f.Code)
		require.Equal(t, test.message, f.Message)
		require.NotEmpty(t, f.Fix)
	}
}
