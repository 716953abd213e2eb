package api

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/slipway-dev/slipway/api/oapi"
)

//go:embed openapi.yaml
var contract []byte

// DefaultPingInterval is how often a log stream says that it is alive: well within the idle time-outs of common proxies.
const DefaultPingInterval = 15 * time.Second

// Options is what the API is made of. Store, Logs, Deploys, Guard and DNS are required.
type Options struct {
	Store   Store
	Logs    LogReader
	Deploys Deploys
	Guard   RepoGuard
	DNS     DNS

	URLs         URLs
	Version      string // shown by /readyz
	Logger       *slog.Logger
	PingInterval time.Duration // of log streams; 0 means DefaultPingInterval
	PreviewIdle  time.Duration // without a request, after which a preview that may sleep does; 0 for never
	MaxQueued    int           // deployments that have not ended, from which on no more are taken; 0 for no bound

	Tracer   trace.Tracer                                               // nil traces nothing
	Answered func(method, route string, status int, took time.Duration) // told of every answer that is no stream; may be nil

	// Closing is closed when the HTTP server begins to shut down, so that log streams end and do not hold it up. Their
	// readers continue at another server by Last-Event-ID. Nil means never.
	Closing <-chan struct{}
}

// server implements oapi.ServerInterface; its methods stand in one file per resource.
type server struct {
	Options
	routes routes
}

var _ oapi.ServerInterface = (*server)(nil)

// New returns the handler of the whole API. Its error names what is missing from the options.
func New(o Options) (http.Handler, error) {
	if o.Store == nil || o.Logs == nil || o.Deploys == nil || o.Guard == nil || o.DNS == nil {
		return nil, errors.New("make API: Store, Logs, Deploys, Guard and DNS are required")
	}
	spec, err := loadContract()
	if err != nil {
		return nil, fmt.Errorf("make API: %w", err)
	}
	s := &server{Options: o.withDefaults(), routes: routesOf(spec)}

	gin.SetMode(gin.ReleaseMode) // gin prints its routes to stdout otherwise
	engine := gin.New()
	engine.RedirectTrailingSlash = false // a redirect would answer before the token is checked
	engine.HandleMethodNotAllowed = true
	engine.Use(s.trace, s.identify, s.recover, s.authenticate, s.validate)
	engine.NoRoute(func(c *gin.Context) { s.fail(c, errNoRoute) })
	engine.NoMethod(func(c *gin.Context) { s.fail(c, errWrongMethod) })
	oapi.RegisterHandlersWithOptions(engine, s, oapi.GinServerOptions{
		ErrorHandler: func(c *gin.Context, err error, _ int) { s.fail(c, parameterProblem("", err.Error(), "")) },
	})
	return engine, nil
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.PingInterval <= 0 {
		o.PingInterval = DefaultPingInterval
	}
	return o
}

func loadContract() (*openapi3.T, error) {
	spec, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		return nil, fmt.Errorf("load openapi.yaml: %w", err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check openapi.yaml: %w", err)
	}
	return spec, nil
}
