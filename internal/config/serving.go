package config

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// addrCheck says which addresses a program may use: loopback for slipway-dev, any host:port for a role.
type addrCheck func(string) error

// Log says what is logged and how.
type Log struct {
	Level  slog.Level // lowest level that is logged
	Format string     // text or json
}

func (l *Log) keys() []key {
	return []key{
		{
			env: "SLIPWAY_LOG_LEVEL", path: "log.level", initial: "info", value: level(&l.Level),
			doc: "Lowest level that is logged: `debug`, `info`, `warn` or `error`.",
		},
		{
			env: "SLIPWAY_LOG_FORMAT", path: "log.format", initial: "text", value: oneOf(&l.Format, "text", "json"),
			doc: "`text` for people, `json` for log collectors.",
		},
	}
}

// API is the REST server.
type API struct {
	Addr         string        // where it listens, host:port
	PingInterval time.Duration // between signs of life on a log stream
	MaxQueued    int           // deployments that have not ended, from which on no more are taken; 0 for no bound
}

func (a *API) keys(addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_API_ADDR", path: "api.addr", initial: "127.0.0.1:8080", value: text(&a.Addr, addr),
			doc: "Where the REST API listens.",
		},
		{
			env: "SLIPWAY_SSE_PING", path: "api.sse_ping", initial: "15s", value: duration(&a.PingInterval),
			doc: "How often a log stream (SSE) shows that it is alive. Keep it below the idle time-out of proxies in between.",
		},
		{
			env: "SLIPWAY_MAX_QUEUED", path: "api.max_queued", initial: "1000", value: number(&a.MaxQueued, 0, 1_000_000),
			doc: "When so many deployments of all projects have not ended, another is answered with 429 and `Retry-After`, and not stored. " +
				"0 for no bound.",
		},
	}
}

// Gateway leads host names to previews.
type Gateway struct {
	Addr         string // where it listens, host:port
	Domain       string // below which previews have their host names
	PublicScheme string // http or https, as people reach the gateway
	PublicPort   int    // likewise; never 0 once loaded

	TLS        TLS
	DNSServers []string // host:port, asked about domains; none: the system's

	TrustedProxies []netip.Prefix // whose X-Forwarded headers are believed
	MaxRequestBody int64          // bytes; 0 for no bound
	AccessLog      string         // off, errors or all
}

func (g *Gateway) keys(addr addrCheck) []key {
	return slices.Concat(g.ownKeys(addr), g.TLS.keys(addr))
}

func (g *Gateway) ownKeys(addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_GATEWAY_ADDR", path: "gateway.addr", initial: "127.0.0.1:8000", value: text(&g.Addr, addr),
			doc: "Where the preview gateway listens.",
		},
		{
			env: "SLIPWAY_PREVIEW_DOMAIN", path: "gateway.domain", initial: "localhost", value: text(&g.Domain, domain),
			doc: "Domain below which every preview has its host name; in DNS it is a wildcard that leads to the gateway.",
		},
		{
			env: "SLIPWAY_PREVIEW_SCHEME", path: "gateway.public_scheme", initial: "http",
			value: oneOf(&g.PublicScheme, "http", "https"),
			doc:   "Scheme of preview URLs: `https` when something before the gateway terminates TLS; with `SLIPWAY_TLS` it is that anyway.",
		},
		{
			env: "SLIPWAY_PREVIEW_PORT", path: "gateway.public_port", initial: "0", value: number(&g.PublicPort, 0, 65535),
			doc: "Port of preview URLs; 0 for the port that the gateway listens on, for TLS where that is on.",
		},
		{
			env: "SLIPWAY_DNS_SERVERS", path: "gateway.dns_servers", value: hostPorts(&g.DNSServers),
			doc: "DNS servers (`host:port`, separated by commas) that are asked, in this order: by the API, whether a domain is verified; by gateways with `SLIPWAY_ACME_DNS_PROVIDER`, which " +
				"zone the preview domain is in and who its servers are. Empty for the system's. One that knows what was changed a moment ago saves people from waiting.",
		},
		{
			env: "SLIPWAY_TRUSTED_PROXIES", path: "gateway.trusted_proxies", value: networks(&g.TrustedProxies),
			doc: "Networks (CIDRs, separated by commas) of the proxies before the gateway: from there `X-Forwarded-For`, `-Proto` and `-Host` are believed and " +
				"passed on to previews, from anywhere else they are replaced.",
		},
		{
			env: "SLIPWAY_MAX_REQUEST_BODY", path: "gateway.max_request_body", initial: "0", value: size(&g.MaxRequestBody, 0),
			doc: "Size of a request's body, such as `100MB`, beyond which the gateway answers 413; 0 for no bound: the gateway holds no body in memory, and what is " +
				"too much for an app is the app's to say.",
		},
		{
			env: "SLIPWAY_ACCESS_LOG", path: "gateway.access_log", initial: "off", value: oneOf(&g.AccessLog, "off", "errors", "all"),
			doc: "Requests to previews that the gateway logs, a line each at level `info`: `off`, `errors` (answers of 500 and more) or `all`. " +
				"Paths are logged, queries are not.",
		},
	}
}

// settle fills in the public scheme and port, and reports what contradicts.
func (g *Gateway) settle() Faults {
	if faults := g.TLS.settle(g); g.PublicPort != 0 || len(faults) > 0 {
		return faults
	}
	if _, port, err := net.SplitHostPort(g.Addr); err == nil {
		g.PublicPort, _ = strconv.Atoi(port) // checked as host:port
	}
	return nil
}

// Examples serves folders of this repository as git repositories, so that a first deploy needs no other host.
type Examples struct {
	Dir  string // empty: off
	Addr string // where they are served, host:port
}

func (e *Examples) keys(addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_EXAMPLES_DIR", path: "examples.dir", initial: "examples", value: text(&e.Dir),
			doc: "Folder whose subfolders slipway-dev serves as read-only git repositories; empty for none.",
		},
		{
			env: "SLIPWAY_EXAMPLES_ADDR", path: "examples.addr", initial: "127.0.0.1:8081", value: text(&e.Addr, addr),
			doc: "Where the example repositories are served. Only this address passes the guard on repository URLs by itself.",
		},
	}
}
