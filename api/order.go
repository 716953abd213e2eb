package api

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// takePlace follows up in Temporal what the rows say of a deployment that is new, retried or let go by another policy: it
// begins when its turn has come, and what it supersedes is canceled. The reconciler does what cannot be done now.
func (s *server) takePlace(c *gin.Context, d deployment.Deployment) {
	ctx, cancel := detached(c)
	defer cancel()
	if d.Due() {
		if err := temporal.Begin(ctx, s.Store, s.Deploys, d); err != nil {
			s.Logger.Warn("Deploy not started; the reconciler will", "deployment", d.ID, "error", err)
		}
	}
	s.cancelSuperseded(ctx, d.ID)
}

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
