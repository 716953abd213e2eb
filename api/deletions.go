package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// delete hides what a path names and answers with what is left of it. The rows come first: a teardown that cannot start now
// is started by the reconciler, which looks for hidden rows.
func (s *server) delete(c *gin.Context, scope deployment.Scope, field, what string) {
	d, err := s.Store.Delete(c.Request.Context(), scope)
	if err != nil { // somebody else may have been quicker
		s.fail(c, named(err, field, what, scope.ID()))
		return
	}
	ctx, cancel := detached(c)
	defer cancel()
	if err := s.Deploys.Teardown(ctx, d); err != nil {
		s.Logger.Warn("Teardown not started; the reconciler will", "id", d.ID(), "error", err)
	}
	c.Header("Location", "/v1/deletions/"+d.ID())
	c.JSON(http.StatusAccepted, s.wireDeletion(d))
}

// ListDeletions serves GET /v1/deletions.
func (s *server) ListDeletions(c *gin.Context) {
	deletions, err := s.Store.Deletions(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.DeletionList{Items: list(deletions, s.wireDeletion)})
}

// GetDeletion serves GET /v1/deletions/{id}.
func (s *server) GetDeletion(c *gin.Context, id string) {
	d, err := s.Store.Deletion(c.Request.Context(), id)
	if err != nil {
		s.fail(c, nothingLeft(err, id))
		return
	}
	c.JSON(http.StatusOK, s.wireDeletion(d))
}

// nothingLeft says that a deletion that is not found is over.
func nothingLeft(err error, id string) error {
	problem, ok := named(err, "id", "deletion", id).(*problemError) //nolint:errorlint // as named made it, or another error
	if !ok {
		return err
	}
	problem.detail = "nothing is left of a project or environment with the id " + id + ", if there ever was one"
	return problem
}
