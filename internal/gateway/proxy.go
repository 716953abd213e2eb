package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
)

// Bounds of a connection to a preview. There is none on how long an app may take to answer or to stream: that is the
// app's and its visitor's affair.
const (
	dialTimeout       = 5 * time.Second
	idleTimeout       = 1500 * time.Millisecond // gunicorn closes an idle connection after 2 s, Node after 5: a POST on one of them is lost
	idlePerPreview    = 32
	idleConnections   = 1024
	maxResponseHeader = 256 << 10
)

func (g *Gateway) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        g.rewrite,
		ModifyResponse: modifyResponse,
		ErrorHandler:   g.proxyFailed,
		FlushInterval:  -1, // a line of a stream is worth nothing in a buffer
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
		Transport: late{g, &http.Transport{
			Proxy:                  nil, // HTTP_PROXY is for the way out, not to a container
			DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConns:           idleConnections,
			MaxIdleConnsPerHost:    idlePerPreview,
			IdleConnTimeout:        idleTimeout,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: maxResponseHeader,
			DisableCompression:     true, // bytes pass as they are
		}},
	}
}

// rewrite aims a request at its preview and tells the app how it came. The Host header stays the visitor's: apps check it
// and build links with it. The query passes as it was written: ReverseProxy
// would drop what it cannot parse, which matters where a proxy decides by the query; this one does not.
func (g *Gateway) rewrite(p *httputil.ProxyRequest) {
	v := visitOf(p.In.Context())
	p.Out.URL.Scheme, p.Out.URL.Host = "http", v.route.Address
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	v.from.tell(p.Out.Header)
	p.Out.Header.Set(requestIDHeader, v.requestID)
}

func modifyResponse(r *http.Response) error {
	r.Header.Set(requestIDHeader, visitOf(r.Request.Context()).requestID)
	return nil
}

// proxyFailed answers for a preview that did not. The route is asked for again at the next request: the container may
// have been replaced a moment ago.
func (g *Gateway) proxyFailed(w http.ResponseWriter, r *http.Request, err error) {
	v := visitOf(r.Context())
	if said, ok := errors.AsType[*insteadError](err); ok {
		g.render(w, r, v, *said.answer)
		return
	}
	if long, ok := errors.AsType[*http.MaxBytesError](err); ok { // a body that did not say its length
		g.render(w, r, v, tooLarge(v.route, long.Limit))
		return
	}
	if errors.Is(context.Cause(r.Context()), errDrained) {
		g.render(w, r, v, drained(v.route))
		return
	}
	if errors.Is(err, context.Canceled) || r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone; close the connection without an answer
	}
	g.log.WarnContext(r.Context(), "preview did not answer", "host", v.hostname, "deployment", v.route.DeploymentID,
		"address", v.route.Address, "request_id", v.requestID, "error", err)
	g.routes.invalidate(v.hostname)
	g.render(w, r, v, unreachable(v.route, err))
}
