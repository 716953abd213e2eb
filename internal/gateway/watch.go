package gateway

import (
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/felixge/httpsnoop"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Counter is told of requests to previews.
type Counter interface {
	// VisitBegan counts a request under way at a place until ended is called.
	VisitBegan(deployment.Place) (ended func(deployment.Visit))
	// Keep forgets every place but these.
	Keep([]deployment.Place)
}

// uncounted is the Counter of a gateway that has none.
type uncounted struct{}

func (uncounted) VisitBegan(deployment.Place) func(deployment.Visit) {
	return func(deployment.Visit) {}
}
func (uncounted) Keep([]deployment.Place) {}

// The requests that the access log tells of.
const (
	AccessLogOff    = "off"
	AccessLogErrors = "errors" // those whose answer is a server error, the app's or the gateway's
	AccessLogAll    = "all"
)

// statusLeft is logged for a visitor who left before there was an answer; nginx has made it known.
const statusLeft = 499

// watched is what is seen of a request while it is answered.
type watched struct {
	status         int
	stream         bool
	received, sent atomic.Int64
	upgraded       atomic.Pointer[client] // nil for no upgrade
}

// watch counts and logs a request from begun until ended is called.
func (g *Gateway) watch(rw http.ResponseWriter, r *http.Request, v *visit, begun time.Time) (_ http.ResponseWriter, _ *http.Request, seen *watched, ended func()) {
	place := deployment.Place{Project: v.route.Project, Environment: v.route.Environment}
	counted := g.counter.VisitBegan(place)
	w := &watched{status: statusLeft}
	rw, r = w.over(rw, r)
	return rw, r, w, func() {
		visited := w.visit(place, begun)
		counted(visited)
		g.logVisit(r, v, visited)
	}
}

// over returns a writer and a request that tell w what passes through them. What the writer can do, as to be flushed or
// to give its connection away, it can do still.
func (w *watched) over(rw http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		counted := *r
		counted.Body = &countedBody{r.Body, &w.received}
		r = &counted
	}
	return httpsnoop.Wrap(rw, httpsnoop.Hooks{
		WriteHeader: func(write httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) {
				w.answered(code, rw.Header())
				write(code)
			}
		},
		Write: func(write httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				n, err := write(b)
				w.sent.Add(int64(n))
				return n, err
			}
		},
		ReadFrom: func(from httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				n, err := from(src)
				w.sent.Add(n)
				return n, err
			}
		},
		Hijack: func(hijack httpsnoop.HijackFunc) httpsnoop.HijackFunc { return w.takenOver(hijack, r) },
	}), r
}

// answered notes a status; those below 200 but for an upgrade's are only a beginning.
func (w *watched) answered(code int, h http.Header) {
	if code < http.StatusOK && code != http.StatusSwitchingProtocols {
		return
	}
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	w.status, w.stream = code, code == http.StatusSwitchingProtocols || kind == "text/event-stream"
}

// visit returns what there is to tell of a request that began then.
func (w *watched) visit(place deployment.Place, begun time.Time) deployment.Visit {
	return deployment.Visit{
		Project: place.Project, Environment: place.Environment, Status: w.status, Took: time.Since(begun), Stream: w.stream,
		Received: w.received.Load(), Sent: w.sent.Load(),
	}
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// logVisit writes a line of the access log. The query is left out: it may hold somebody's secrets.
func (g *Gateway) logVisit(r *http.Request, v *visit, seen deployment.Visit) {
	if g.accessLog == AccessLogOff || g.accessLog == AccessLogErrors && seen.Status < http.StatusInternalServerError {
		return
	}
	g.log.LogAttrs(r.Context(), slog.LevelInfo, "visit",
		slog.String("request_id", v.requestID), slog.String("client", v.from.clientName()), slog.String("host", short(v.hostname)),
		slog.String("method", short(r.Method)), slog.String("path", short(r.URL.EscapedPath())), slog.String("protocol", r.Proto),
		slog.Int("status", seen.Status), slog.Float64("seconds", seen.Took.Seconds()),
		slog.Int64("received", seen.Received), slog.Int64("sent", seen.Sent),
		slog.String("project", v.route.Project), slog.String("environment", v.route.Environment),
		slog.String("deployment", v.route.DeploymentID), slog.String("agent", short(r.UserAgent())))
}

// short bounds what a visitor may have written into the log.
func short(text string) string {
	const most = 512
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
