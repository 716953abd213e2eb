package api

import (
	"context"
)

// cancelSuperseded cancels the workflows of deployments whose place a newer one takes. Their rows say so already: one that
// Temporal does not hear of is canceled by the reconciler.
func (s *server) cancelSuperseded(ctx context.Context, newer string) {
	older, err := s.Store.CancelingFor(ctx, newer)
	if err != nil {
		s.Logger.Warn("Superseded deploys not canceled; the reconciler will", "deployment", newer, "error", err)
	}
	for _, id := range older {
		if _, err := s.Deploys.Cancel(ctx, id); err != nil {
			s.Logger.Warn("Superseded deploy not canceled; the reconciler will", "deployment", id, "error", err)
		}
	}
}
