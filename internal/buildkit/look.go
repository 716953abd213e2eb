package buildkit

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client"
)

// Version asks the daemon at an address, as in Options, which BuildKit it is.
func Version(ctx context.Context, address string) (string, error) {
	c, err := client.New(ctx, address)
	if err != nil {
		return "", fmt.Errorf("use builder %s: %w", address, err)
	}
	defer func() { _ = c.Close() }()
	info, err := c.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("ask builder %s: %w", address, err)
	}
	return info.BuildkitVersion.Version, nil
}
