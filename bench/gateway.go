package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
	"github.com/slipway-dev/slipway/internal/metrics"
)

const (
	gatewayEnvironments = 5000 // each with two host names
	gatewayVisitors     = 16   // at the same time
)

// passage is what is sent through a proxy to an app and back.
type passage struct {
	what         string
	requests     int
	sent, answer int // bytes of a request's body and of an answer's
}

var passages = []passage{
	{"answers of 1 KiB", 8000, 0, 1 << 10},
	{"bodies of 64 KiB", 4000, 64 << 10, 2},
	{"answers of 8 MiB", 100, 0, 8 << 20},
}

// standing is a Router whose environments are all live at one address. It is told nothing and keeps nothing of traffic.
type standing struct {
	address string
	looked  chan struct{} // by Follow
}

func gatewayHost(n int) string { return fmt.Sprintf("app%d.localhost", n) }

func (s *standing) route(n int, host string, stable bool) deployment.Route {
	return deployment.Route{
		Hostname: host, Stable: stable, DeploymentID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n), DeploymentNumber: n,
		Project: fmt.Sprintf("app%d", n), EnvironmentID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n), Environment: "production",
		Status: deployment.StatusReady, State: deployment.PreviewLive, Address: strings.Clone(s.address), Wanted: deployment.WantedRunning,
	}
}

func (s *standing) Route(_ context.Context, host string) (deployment.Route, error) {
	var n int
	if _, err := fmt.Sscanf(host, "app%d.localhost", &n); err != nil {
		return deployment.Route{}, deployment.ErrNotFound
	}
	return s.route(n, host, true), nil
}

func (s *standing) Routes(context.Context) (routes []deployment.Route, _ error) {
	for n := range gatewayEnvironments {
		routes = append(routes, s.route(n, gatewayHost(n), true), s.route(n, fmt.Sprintf("%08x-preview.localhost", n), false))
	}
	return routes, nil
}

func (s *standing) AddTraffic(context.Context, []deployment.Traffic) error { return nil }
func (s *standing) RequestWake(context.Context, string) error              { return nil }

// counted is the product's own Counter, which says besides when Follow has looked at the routes.
type counted struct {
	*metrics.Metrics
	looked chan struct{}
}

func (c counted) Keep(places []deployment.Place) {
	c.Metrics.Keep(places)
	c.looked <- struct{}{}
}

// passGateway compares the gateway with httputil.ReverseProxy as it is, in this process, and counts the memory of its routes.
func (b *bench) passGateway(ctx context.Context) error {
	app := httptest.NewServer(http.HandlerFunc(answerAsked))
	defer app.Close()
	g, memory, stop := follow(ctx, strings.TrimPrefix(app.URL, "http://"))
	defer stop()
	target, err := url.Parse(app.URL)
	if err != nil {
		return err
	}
	bare := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}, // as the gateway's
	}
	addrs := map[side]string{}
	serving, end := context.WithCancel(ctx)
	servers, serving := errgroup.WithContext(serving)
	for s, handler := range map[side]http.Handler{b.slipway: g, b.bare: bare} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			end()
			return err
		}
		addrs[s] = l.Addr().String()
		servers.Go(func() error { return gateway.Serve(serving, l, handler, time.Second) })
	}
	c, err := b.passAll(ctx, addrs)
	end()
	if err := errors.Join(err, servers.Wait()); err != nil {
		return err
	}
	b.measures["gateway"] = gatewayTable(c) + "\n" + memory
	return nil
}

// answerAsked answers with as many bytes as it is asked for.
func answerAsked(w http.ResponseWriter, r *http.Request) {
	var n int
	_, _ = io.Copy(io.Discard, r.Body)
	if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err == nil {
		_, _ = w.Write(make([]byte, n))
	}
}

func (b *bench) passAll(ctx context.Context, addrs map[side]string) (c comparison, err error) {
	for round := 0; b.more(round); round++ {
		for _, p := range passages {
			both, err := b.both(round, func(s side) (sample, error) { return p.pass(ctx, addrs[s]) })
			if err != nil {
				return c, fmt.Errorf("%s: %w", p.what, err)
			}
			b.logf("  %s: slipway %.2f s, bare %.2f s", p.what, both.slipway.took.Seconds(), both.bare.took.Seconds())
			c.add(p.what, both)
		}
	}
	return c, nil
}

// pass sends all requests through a proxy, from several visitors at the same time.
func (p passage) pass(ctx context.Context, addr string) (sample, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: gatewayVisitors}
	defer transport.CloseIdleConnections()
	client, body := &http.Client{Transport: transport}, make([]byte, p.sent)
	visitors, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	for n := range gatewayVisitors {
		visitors.Go(func() error {
			for range p.requests / gatewayVisitors {
				if err := p.ask(ctx, client, addr, gatewayHost(n), body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := visitors.Wait()
	return sample{took: time.Since(begun)}, err
}

func (p passage) ask(ctx context.Context, client *http.Client, addr, host string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s/%d", addr, p.answer), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Host = host
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != int64(p.answer) {
		return fmt.Errorf("%s: %d of %d bytes: %w", answer.Status, n, p.answer, err)
	}
	return nil
}

// follow makes a gateway that knows its routes, and says how much memory they take, before and after each environment has had a visitor.
func follow(ctx context.Context, address string) (g *gateway.Gateway, memory string, stop func()) {
	s := &standing{address: address, looked: make(chan struct{}, 1)}
	empty := heap()
	g = gateway.New(gateway.Options{
		Routes: s, Domain: "localhost", Logger: slog.New(slog.DiscardHandler), Counter: counted{metrics.New("bench"), s.looked}, Traffic: s,
		Waking: gateway.Waking{Waker: s},
	})
	ctx, stop = context.WithCancel(ctx)
	go g.Follow(ctx)
	go g.WriteTraffic(ctx)
	g.InvalidateAll()
	<-s.looked
	known := heap()
	for n := range gatewayEnvironments {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+gatewayHost(n)+"/1", nil)
		g.ServeHTTP(httptest.NewRecorder(), r)
	}
	visited := heap()
	per := func(bytes uint64) float64 { return float64(bytes-empty) / (2 * gatewayEnvironments) * 1000 / (1 << 20) }
	return g, fmt.Sprintf("Memory per 1000 routes: %.2f MiB, and %.2f MiB once each environment has had a visitor, whom the metrics count.\n", per(known), per(visited)), stop
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what pools have kept over the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// gatewayTable shows requests per second of both, and the gateway's share of the bare proxy's time.
func gatewayTable(c comparison) string {
	var text strings.Builder
	text.WriteString("| | rounds | gateway, requests/s | ReverseProxy, requests/s | gateway ÷ ReverseProxy |\n|---|---:|---:|---:|---:|\n")
	for _, p := range passages {
		pairs := c.pairs[p.what]
		rate := func(samples []sample) float64 { return float64(p.requests) / quantile(took(samples), 0.5) }
		slipway, bare := sides(pairs)
		rates := ratios(pairs)
		for i, r := range rates {
			rates[i] = 1 / r
		}
		fmt.Fprintf(&text, "| %s | %d | %.0f | %.0f | %s |\n", p.what, len(pairs), rate(slipway), rate(bare), spreadOf(slices.Clone(rates)).ratio())
	}
	return text.String()
}
