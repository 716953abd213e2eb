package source

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/slipway-dev/slipway/internal/deployment"
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

// grant is what requests to one origin carry. It is put on each of them at the last moment, so that none takes it along
// through a redirect.
type grant struct {
	origin string
	header http.Header
}

// gitTransport returns git's transport for one session with the repository at u.
func (t *trip) gitTransport(u *url.URL) transport.Transport {
	return githttp.NewClientWithOptions(t.httpClient(t.grants(u)...), &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
}

// httpClient returns a client for one session that may read as much as the budget allows.
func (t *trip) httpClient(grants ...grant) *http.Client {
	t.strayed = ""
	return &http.Client{
		Transport: &guardedTripper{trip: t, grants: grants},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &redirectError{reason: fmt.Sprintf("more than %d in a row", maxRedirects)}
			}
			return nil
		},
	}
}

// guardedTripper sends each request, the ones after redirects too, through the guard.
type guardedTripper struct {
	*trip
	grants []grant
}

// RoundTrip implements http.RoundTripper.
func (t *guardedTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.User != nil || req.Header.Get("Authorization") != "" {
		// Neither URLs nor those who make requests hold any, so a redirect brought them.
		return nil, &redirectError{reason: "the target holds credentials"}
	}
	if !t.guard.allows(req.URL) {
		return nil, &redirectError{reason: fmt.Sprintf("scheme %q is not allowed", req.URL.Scheme)}
	}
	next := t.http.guarded
	if t.guard.trusts(req.URL) {
		next = t.http.trusted
	}
	resp, err := next.RoundTrip(t.granted(req))
	if err != nil {
		return nil, err
	}
	body := t.budget.reader(resp.Body)
	if strings.HasSuffix(req.URL.Path, "/info/refs") && resp.StatusCode == http.StatusOK {
		body = io.TeeReader(body, t.said)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	return resp, nil
}

// granted returns the request with what its target may get.
func (t *guardedTripper) granted(req *http.Request) *http.Request {
	for _, g := range t.grants {
		if g.origin == origin(req.URL) {
			req = req.Clone(req.Context()) // a RoundTripper leaves its request as it is
			maps.Copy(req.Header, g.header)
			return req
		}
	}
	if len(t.grants) > 0 {
		t.strayed = deployment.OriginOf(req.URL)
	}
	return req
}
