package activities

import (
	"context"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// removeOne removes a container, which has the grace period to end by itself, a network or an image.
func removeOne(ctx context.Context, engine Engine, r deployment.Resource, grace time.Duration) error {
	switch r.Kind {
	case deployment.ResourceContainer:
		return engine.Stop(ctx, r.Name, grace)
	case deployment.ResourceBaseImage:
		return engine.RemoveImage(ctx, r.Name)
	default:
		return engine.RemoveNetwork(ctx, r.Name)
	}
}

// removeAndLook asks the engine for the thing again: what a receipt says is what somebody has seen, not what was meant.
func removeAndLook(ctx context.Context, engine Engine, r deployment.Resource, grace time.Duration) error {
	if err := removeOne(ctx, engine, r, grace); err != nil {
		return err
	}
	look := engine.Owned
	if r.Kind == deployment.ResourceBaseImage {
		look = engine.BaseImages
	}
	shown, err := look(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(shown, func(s deployment.Resource) bool { return s.Kind == r.Kind && s.Name == r.Name }) {
		return stillThere(string(r.Kind) + " " + r.Name)
	}
	return nil
}
