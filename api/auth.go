package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// authenticate lets a /v1 request pass that carries a known token. It stands before routing errors and validation, so
// that without a token nobody learns what exists. A token is looked up by its hash: the comparison is the index's, over
// bytes that the caller cannot steer, so its duration tells nothing about the tokens that exist.
func (s *server) authenticate(c *gin.Context) {
	if path := c.Request.URL.Path; path != "/v1" && !strings.HasPrefix(path, "/v1/") {
		return
	}
	token := bearerToken(c.GetHeader("Authorization"))
	if token == "" {
		c.Header("WWW-Authenticate", `Bearer realm="slipway"`)
		s.fail(c, errNoToken)
		return
	}
	known, err := s.Store.TokenByHash(c.Request.Context(), deployment.HashToken(token))
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		c.Header("WWW-Authenticate", `Bearer realm="slipway", error="invalid_token"`)
		s.fail(c, errBadToken)
	case err != nil:
		s.fail(c, err)
	case known.Expired(time.Now()):
		c.Header("WWW-Authenticate", `Bearer realm="slipway", error="invalid_token"`)
		s.fail(c, expiredToken(known))
	default:
		c.Set(keyToken, known)
	}
}

// bearerToken returns the token of an Authorization header (RFC 6750 §2.1; the scheme's case does not matter), empty for
// any other scheme.
func bearerToken(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// tokenOf returns the token that a request was let in with; the zero Token for one without.
func tokenOf(c *gin.Context) deployment.Token {
	token, _ := c.Get(keyToken)
	known, _ := token.(deployment.Token)
	return known
}

func expiredToken(t deployment.Token) *problemError {
	return &problemError{
		status: http.StatusUnauthorized, code: "token_expired", field: "Authorization",
		detail: fmt.Sprintf("the token %q expired at %s", t.Name, t.ExpiresAt.Format(time.RFC3339)),
		fix:    "have another made: `slipway admin token create`",
	}
}

var (
	errNoToken = &problemError{
		status: http.StatusUnauthorized, code: "unauthorized", detail: "the request carries no token", field: "Authorization",
		fix: "send the header Authorization: Bearer <token>",
	}
	errBadToken = &problemError{
		status: http.StatusUnauthorized, code: "unauthorized", detail: "the token is not known", field: "Authorization",
		fix: "check that the token is whole and belongs to this installation",
	}
)
