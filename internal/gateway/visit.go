package gateway

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 128
)

// visit is one request on its way: what the proxy's hooks need to know of it.
type visit struct {
	hostname  string
	requestID string
	from      origin
	route     deployment.Route // of what answers
	flight    *flight          // while it is under way to a preview
}

type visitKey struct{}

func withVisit(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// requestID returns the id that a client or a proxy before the gateway gave, or a new one. It ends up in logs, so only
// plain characters are accepted.
func requestID(r *http.Request) string {
	given := r.Header.Get(requestIDHeader)
	if given != "" && len(given) <= maxRequestID && !strings.ContainsFunc(given, notPlain) {
		return given
	}
	return rand.Text()
}

func notPlain(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:/+=", c)
}
