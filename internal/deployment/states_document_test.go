package deployment_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var update = flag.Bool("update", false, "write docs/states.md and docs/warnings.md anew")

// The diagram of docs/states.md is the transitions table.
func TestStatesDocument(t *testing.T) {
	t.Parallel()
	requireGenerated(t, "../../docs/states.md", statesDiagram())
}

// requireGenerated compares the generated part of a page.
func requireGenerated(t *testing.T, path, content string) {
	t.Helper()
	const begin, end = "<!-- begin generated -->\n", "<!-- end generated -->"
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, found := strings.Cut(string(data), begin)
	require.True(t, found)
	_, tail, found := strings.Cut(rest, end)
	require.True(t, found)
	want := head + begin + content + end + tail
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(data), "stale: run go test ./internal/deployment -run Document -update")
}

func statesDiagram() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> queued\n")
	for _, s := range deployment.Statuses() {
		for _, next := range s.Next() {
			fmt.Fprintf(&b, "    %s --> %s\n", s, next)
		}
		if len(s.Next()) == 0 {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n")
	return b.String()
}
