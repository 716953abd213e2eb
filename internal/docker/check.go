package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	tryTimeout   = 2 * time.Second
	firstPause   = 50 * time.Millisecond
	maxProbeBody = 64 << 10 // read so that an app is not cut off in the middle of a small answer
)

// attempt is what one try came to.
type attempt struct {
	ready   bool
	address string // that was asked
	refused bool   // nothing listens there
	what    string // in words, e.g. "answered 503, not 200"
}

// check asks one preview over HTTP whether it is ready.
type check struct {
	address  string
	host     string
	wanted   deployment.HealthCheck
	interval time.Duration
	client   *http.Client
	line     func(string)
	other    *otherPort // nil when PORT alone will do
}

func newCheck(address string, s deployment.ProbeSpec, line func(string)) *check {
	if line == nil {
		line = func(string) {}
	}
	wanted := s.Check
	wanted.Path = cmp.Or(wanted.Path, deployment.DefaultHealthPath)
	wanted.TimeoutSeconds = cmp.Or(wanted.TimeoutSeconds, deployment.DefaultHealthTimeoutSeconds)
	return &check{
		address: address, host: cmp.Or(s.Host, "localhost"), wanted: wanted, interval: cmp.Or(s.Interval, defaultInterval), line: line,
		client: &http.Client{
			Timeout: tryTimeout,
			// A proxy from the environment is not the way to a container, and a kept connection would hide a restart.
			Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext},
			// A redirect is an answer of the app; where it leads is not for the probe to ask.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// run tries until the preview is ready, the check's timeout has passed or ctx ends, and returns the last try.
func (c *check) run(ctx context.Context) attempt {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	pause := min(c.interval, firstPause) // most apps are ready within a second, and whoever deploys waits for each
	var last attempt
	for {
		now := c.try(ctx, c.address)
		if other := c.elsewhere(ctx, now); other != "" {
			if found := c.try(ctx, other); found.ready {
				now = found
			}
		}
		if ctx.Err() == nil && now.what != last.what && !now.ready {
			c.line(fmt.Sprintf("waiting for GET %s on port %d: %s", c.wanted.Path, c.port(), now.what))
		}
		if now.ready {
			c.line(fmt.Sprintf("ready after %.1f s: GET %s %s", time.Since(began).Seconds(), c.wanted.Path, now.what))
			return now
		}
		if ctx.Err() == nil || last.what == "" { // a try that the deadline cut short tells nothing
			last = now
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(pause):
			pause = min(c.interval, pause*3/2)
		}
	}
}

// elsewhere returns another address to ask after a try that was refused, "" for none.
func (c *check) elsewhere(ctx context.Context, last attempt) string {
	if !last.refused {
		return ""
	}
	return c.other.due(ctx, time.Now())
}

func (c *check) try(ctx context.Context, address string) attempt {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+c.wanted.Path, nil)
	if err != nil {
		return attempt{what: "cannot be asked: " + err.Error()}
	}
	request.Host = c.host
	request.Header.Set("User-Agent", "slipway-probe")
	response, err := c.client.Do(request)
	if err != nil {
		return failedTry(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxProbeBody)
	switch {
	case c.wanted.Status == 0 && response.StatusCode >= http.StatusInternalServerError:
		return attempt{what: fmt.Sprintf("answered %d, which is not below 500", response.StatusCode)}
	case c.wanted.Status != 0 && response.StatusCode != c.wanted.Status:
		return attempt{what: fmt.Sprintf("answered %d, not %d", response.StatusCode, c.wanted.Status)}
	}
	return attempt{ready: true, address: address, what: fmt.Sprintf("answered %d", response.StatusCode)}
}

func failedTry(err error) attempt {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return attempt{refused: true, what: "connection refused"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return attempt{what: "no route to the container"}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return attempt{what: fmt.Sprintf("no answer within %d s", int(tryTimeout.Seconds()))}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return attempt{what: "the connection was closed without an answer"}
	default:
		return attempt{what: "no HTTP answer: " + errors.Unwrap(err).Error()} // *url.Error names the address again
	}
}

func (c *check) timeout() time.Duration { return time.Duration(c.wanted.TimeoutSeconds) * time.Second }

// port returns the port that PORT names, 0 for an address that is none.
func (c *check) port() int {
	parsed, err := netip.ParseAddrPort(c.address)
	if err != nil {
		return 0
	}
	return int(parsed.Port())
}
