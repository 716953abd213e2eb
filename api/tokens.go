package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// CreateToken serves POST /v1/tokens. Its answer alone holds the secret.
func (s *server) CreateToken(c *gin.Context) {
	var body oapi.TokenCreate
	if err := decodeBody(c, &body); err != nil {
		s.fail(c, err)
		return
	}
	t := deployment.Token{Name: body.Name, ExpiresAt: body.ExpiresAt}
	err := fieldProblem(deployment.ValidateTokenName(t.Name), deployment.ValidateTokenExpiry(t.ExpiresAt, time.Now()))
	secret := deployment.NewTokenSecret()
	if err == nil {
		t, err = s.Store.CreateToken(c.Request.Context(), t, deployment.HashToken(secret))
	}
	if err != nil {
		s.fail(c, tokenNameTaken(err, body.Name))
		return
	}
	c.JSON(http.StatusCreated, oapi.TokenCreated{
		ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt.UTC(), ExpiresAt: utc(t.ExpiresAt), Token: secret,
	})
}

func tokenNameTaken(err error, name string) error {
	if !errors.Is(err, deployment.ErrNameTaken) {
		return err
	}
	return &problemError{
		status: http.StatusConflict, code: "name_taken", detail: fmt.Sprintf("another token is called %q", name), field: "name",
		fix: "choose another name, or revoke that one first if its secret is lost",
	}
}

// ListTokens serves GET /v1/tokens.
func (s *server) ListTokens(c *gin.Context, params oapi.ListTokensParams) {
	items, next, err := s.Store.Tokens(c.Request.Context(), pageOf(params.Limit, params.Cursor))
	if err != nil {
		s.fail(c, err)
		return
	}
	current := tokenOf(c).ID
	wire := func(t deployment.Token) oapi.Token {
		return oapi.Token{
			ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt.UTC(), LastUsedAt: utc(t.LastUsedAt), ExpiresAt: utc(t.ExpiresAt),
			Current: t.ID == current,
		}
	}
	c.JSON(http.StatusOK, oapi.TokenList{Items: list(items, wire), NextCursor: optional(next)})
}

// DeleteToken serves DELETE /v1/tokens/{id}.
func (s *server) DeleteToken(c *gin.Context, id string) {
	if err := s.Store.DeleteToken(c.Request.Context(), id); err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}
