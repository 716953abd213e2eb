package testbed_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

func TestRewrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.md")
	require.NoError(t, os.WriteFile(path, []byte("# A\n\n<!-- a -->\nold\n<!-- a -->\n\nkept\n<!-- b -->\n<!-- b -->\n"), 0o600))
	require.NoError(t, testbed.Rewrite(path, "a", "new\n"))
	require.NoError(t, testbed.Rewrite(path, "b", "| x |\n"))
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "# A\n\n<!-- a -->\nnew\n<!-- a -->\n\nkept\n<!-- b -->\n| x |\n<!-- b -->\n", string(written))

	require.ErrorContains(t, testbed.Rewrite(path, "c", ""), "0 marks <!-- c -->")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, written, after)
}
