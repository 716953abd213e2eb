package buildkit

import (
	"context"
	"fmt"
)

// Version asks a daemon which BuildKit it is.
func Version(ctx context.Context, opts Options) (string, error) {
	b, err := New(ctx, opts)
	if err != nil {
		return "", err
	}
	defer func() { _ = b.Close() }()
	info, err := b.client.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("ask builder %s: %w", b.address, err)
	}
	return info.BuildkitVersion.Version, nil
}
