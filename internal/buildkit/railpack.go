package buildkit

import (
	"fmt"
	"strconv"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// railpackAttrs says to Railpack's frontend what r means (railpack.com/platforms/buildkit-frontend). It gets secrets as
// environment variables of the steps by itself; without secrets-hash a changed one would build nothing anew, and without
// cache-key projects would share cache mounts.
func railpackAttrs(r deployment.BuildRequest) (map[string]string, error) {
	fingerprint, err := secretsFingerprint(r.CacheScope, r.Secrets)
	if err != nil {
		return nil, fmt.Errorf("fingerprint secrets: %w", err)
	}
	return map[string]string{
		"source":                 r.Frontend,
		"filename":               dockerfileName,
		"build-arg:cache-key":    r.CacheScope,
		"build-arg:secrets-hash": fingerprint,
		"build-arg:no-cache":     strconv.FormatBool(r.NoCache),
	}, nil
}
