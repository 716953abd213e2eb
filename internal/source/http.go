package source

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// maxRedirects is how many redirects the first request of a session may take. Later ones take none: go-git sends them to
// where the first one ended.
const maxRedirects = 5

// redirectError says why a redirect was not followed.
type redirectError struct{ reason string }

func (e *redirectError) Error() string { return "redirect refused: " + e.reason }

// httpTransports are the two ways to a server: past the guard for trusted origins, through it for all others.
type httpTransports struct{ guarded, trusted *http.Transport }

// newHTTPTransports makes the connection pools. Proxy stays nil on purpose: a proxy would resolve names itself and so
// connect to what the guard never saw.
func newHTTPTransports(g *guard) *httpTransports {
	guarded := &http.Transport{
		DialContext:            g.dial,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  2 * time.Minute, // a server may count objects before it answers
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		ForceAttemptHTTP2:      true,
	}
	trusted := guarded.Clone()
	trusted.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	return &httpTransports{guarded: guarded, trusted: trusted}
}

// transport returns a git transport for one session that may read as much as the budget allows.
func (t *httpTransports) transport(g *guard, b *budget) transport.Transport {
	client := &http.Client{
		Transport: &guardedTripper{transports: t, guard: g, budget: b},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &redirectError{reason: fmt.Sprintf("more than %d in a row", maxRedirects)}
			}
			return nil
		},
	}
	return githttp.NewClientWithOptions(client, &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
}

// guardedTripper sends each request, the ones after redirects too, through the guard.
type guardedTripper struct {
	transports *httpTransports
	guard      *guard
	budget     *budget
}

// RoundTrip implements http.RoundTripper.
func (t *guardedTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.User != nil || req.Header.Get("Authorization") != "" {
		// The repository's URL never holds any, so a redirect brought them.
		return nil, &redirectError{reason: "the target holds credentials"}
	}
	if !t.guard.allows(req.URL) {
		return nil, &redirectError{reason: fmt.Sprintf("scheme %q is not allowed", req.URL.Scheme)}
	}
	next := t.transports.guarded
	if t.guard.trusts(req.URL) {
		next = t.transports.trusted
	}
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{t.budget.reader(resp.Body), resp.Body}
	return resp, nil
}
