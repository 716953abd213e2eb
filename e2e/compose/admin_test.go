package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// Commands that work on the machine write to the data directory: what docs and help say has to name a service that may.
func TestFile_AdminCommandsRunWhereStateIsWritten(t *testing.T) {
	t.Parallel()
	project := load(t)
	call := regexp.MustCompile(`docker compose -f deploy/compose\.yaml (?:run|exec)((?: --?\w[\w-]*)*) (\w+)(?: slipway)? admin (token|keys|backup|restore)\b`)
	seen := map[string]bool{}
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../cmd/slipway/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range call.FindAllStringSubmatch(string(text), -1) {
				service, ok := project.Services[match[2]]
				require.True(t, ok, "%s: %s", file, match[0])
				require.True(t, slices.ContainsFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool {
					return v.Target == *service.Environment["SLIPWAY_DATA_DIR"] && !v.ReadOnly
				}), "%s: %s", file, match[0])
				seen[match[3]] = true
			}
		}
	}
	require.Len(t, seen, 4, "%v", seen)
}
