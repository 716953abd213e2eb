package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Router knows what a host name leads to.
type Router interface {
	// Route finds a route by its host name (lower case, no port); deployment.ErrNotFound when there is none.
	Route(ctx context.Context, hostname string) (deployment.Route, error)
	// Routes lists where the host names of all environments lead, and those of the deployments that are live in them.
	Routes(ctx context.Context) ([]deployment.Route, error)
}

// Options wire a Gateway.
type Options struct {
	Routes       Router
	Logger       *slog.Logger  // nil for slog.Default
	Domain       string        // previews' host names end in it; others that cannot be a domain of somebody's are unknown without asking. Empty: ask for all
	PublicScheme string        // "http" or "https", as visitors see the gateway; empty: as the connection is
	CacheFor     time.Duration // how long a live route is used without asking again; 0 for a second

	TrustedProxies []netip.Prefix // whose X-Forwarded-For, -Proto and -Host are believed
	MaxBody        int64          // bytes of a request's body; 0 for no bound

	Drain time.Duration // how long requests to a replaced preview may go on; 0 for half a minute

	Counter   Counter // nil for none
	AccessLog string  // which requests are logged; empty for AccessLogOff

	Traffic      TrafficStore  // nil for none
	TrafficEvery time.Duration // between two writes to it; 0 for ten seconds

	Waking       Waking
	ProgressLook time.Duration // between two looks at a deploy that is followed, although nobody said that it has changed; 0 for two seconds
}

// Gateway is the http.Handler of all previews.
type Gateway struct {
	router  Router
	routes  *cache
	changed chan struct{} // wakes Follow
	proxy   *httputil.ReverseProxy
	domain  string
	scheme  string
	log     *slog.Logger

	flights   flights
	drain     time.Duration
	trusted   []netip.Prefix
	maxBody   int64
	counter   Counter
	accessLog string
	traffic   *traffic
	wakes     *wakes
	progress  progressing
}

var _ http.Handler = (*Gateway)(nil)

// New returns a Gateway.
func New(o Options) *Gateway {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.CacheFor == 0 {
		o.CacheFor = time.Second
	}
	g := &Gateway{
		router: o.Routes, changed: make(chan struct{}, 1),
		routes: newCache(o.Routes, o.CacheFor),
		domain: strings.ToLower(strings.Trim(o.Domain, ".")),
		scheme: o.PublicScheme,
		log:    o.Logger.With("component", "gateway"),

		flights:   flights{all: map[*flight]struct{}{}},
		drain:     cmp.Or(o.Drain, 30*time.Second),
		trusted:   o.TrustedProxies,
		maxBody:   o.MaxBody,
		counter:   o.Counter,
		accessLog: cmp.Or(o.AccessLog, AccessLogOff),
		traffic:   newTraffic(o.Traffic, cmp.Or(o.TrafficEvery, trafficInterval)),
		wakes:     newWakes(o.Waking),
		progress:  progressing{look: cmp.Or(o.ProgressLook, 2*time.Second), all: map[*follower]struct{}{}, leaving: make(chan struct{})},
	}
	if g.counter == nil {
		g.counter = uncounted{}
	}
	g.proxy = g.newProxy()
	return g
}

// Invalidate makes the next request to each of the host names ask the Router again.
func (g *Gateway) Invalidate(hostnames ...string) {
	for _, name := range hostnames {
		g.routes.invalidate(hostname(name))
		g.wakes.tell(hostname(name))
	}
	g.note()
}

// InvalidateAll makes the next request to any host name ask the Router again.
func (g *Gateway) InvalidateAll() {
	g.routes.invalidateAll()
	g.wakes.tell("")
	g.note()
}

// ServeHTTP proxies a request to its preview, after that was woken if it is asleep, or says why there is none.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, begun, host := r.Context(), time.Now(), hostname(r.Host)
	v := &visit{hostname: host, requestID: requestID(r), from: g.originOf(r)}
	route, err := g.route(ctx, host)
	v.route = route
	w, r, seen, ended := g.watch(w, r, v, begun)
	defer ended() // also when the visitor leaves, which net/http is told by a panic
	var instead *answer
	if err == nil && g.wakes.canWake(route) {
		route, instead, err = g.hold(r, v)
		v.route = route
	}
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		g.render(w, r, v, unknownHost(host))
	case ctx.Err() != nil: // the client is gone: nobody reads an answer
	case err != nil:
		g.log.WarnContext(ctx, "cannot look up a route", "host", host, "request_id", v.requestID, "error", err)
		g.render(w, r, v, noRoutes())
	case instead != nil:
		g.render(w, r, v, *instead)
	case isLive(route):
		g.forward(w, r, v, seen) //nolint:contextcheck // it outlives the visitor's, by as long as it takes to say goodbye
	default:
		g.explain(w, r, v)
	}
}

// isLive reports whether a route leads to a container that takes requests; one that was replaced is drained.
func isLive(r deployment.Route) bool {
	return r.State == deployment.PreviewLive && r.Address != "" && r.ReplacedBy == 0
}

// explain says why nothing is live, and below a reserved path how far a deploy has come that is under way.
func (g *Gateway) explain(w http.ResponseWriter, r *http.Request, v *visit) {
	a := notLive(v.route)
	if a.code == notReady && r.URL.Path == progressPath && r.Method == http.MethodGet {
		g.serveProgress(w, r, v)
		return
	}
	g.render(w, r, v, a)
}

// forward proxies a request to its live preview, unless its body is too large.
func (g *Gateway) forward(w http.ResponseWriter, r *http.Request, v *visit, seen *watched) {
	ended := g.traffic.began(v.route.EnvironmentID)
	defer func() { ended(seen.status) }()
	if g.maxBody > 0 && r.ContentLength > g.maxBody {
		g.render(w, r, v, tooLarge(v.route, g.maxBody))
		return
	}
	r, landed := g.takeOff(r, v, seen)
	defer landed()
	r = r.WithContext(withVisit(r.Context(), v))
	if g.maxBody > 0 && r.ContentLength != 0 {
		r.Body = http.MaxBytesReader(w, r.Body, g.maxBody)
	}
	g.proxy.ServeHTTP(w, r)
}

func (g *Gateway) route(ctx context.Context, host string) (deployment.Route, error) {
	if host == "" || g.domain != "" && !strings.HasSuffix(host, "."+g.domain) && !deployment.CanBeDomain(host) {
		return deployment.Route{}, deployment.ErrNotFound
	}
	return g.routes.route(ctx, host)
}

// hostname returns a Host header's name as routes have it: without port, without a trailing dot, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
