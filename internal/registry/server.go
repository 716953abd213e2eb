package registry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the storage that newApp names
	"github.com/google/uuid"
)

// Options say where a Server keeps its images and where it reports trouble.
type Options struct {
	Dir    string        // made when missing; two Servers must not share one
	Logger *slog.Logger  // nil: slog.Default
	Grace  time.Duration // how long what no tag leads to stays after it was mentioned last: longer than any push or pull; 0: DefaultGrace
}

// DefaultGrace is longer than a build may last, its push included.
const DefaultGrace = 7 * time.Hour

// Server is an OCI registry over one directory. It has no authentication: bind it to a loopback address.
type Server struct {
	app      *handlers.App
	dir      string
	grace    time.Duration
	mentions *mentions
	logger   *slog.Logger
	sweeping sync.Mutex // held by the one sweep that is under way
}

// shutdownGrace is how long running requests may take to end.
const shutdownGrace = 2 * time.Second

// New opens the registry in opts.Dir.
func New(opts Options) (*Server, error) {
	logger := opts.Logger
	if logger == nil {
		logger = slog.Default()
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	app, err := newApp(withLogger(context.Background(), logger), dir)
	if err != nil {
		return nil, fmt.Errorf("open registry in %s: %w", dir, err)
	}
	grace := opts.Grace
	if grace <= 0 {
		grace = DefaultGrace
	}
	return &Server{app: app, dir: dir, grace: grace, mentions: &mentions{dir: dir, written: map[string]time.Time{}}, logger: logger}, nil
}

// newApp turns the library's panics, its way to refuse a configuration, into an error.
func newApp(ctx context.Context, dir string) (app *handlers.App, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("configure: %v", p)
		}
	}()
	config := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem": {"rootdirectory": dir},
		"delete":     {"enabled": true},
		// The library's own purger is a goroutine that nothing can stop; Serve tidies instead.
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	// Signs upload sessions, which live only as long as this process.
	config.HTTP.Secret = uuid.NewString()
	return handlers.NewApp(ctx, config), nil
}

// ServeHTTP answers one request of the distribution API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.mentions.note(r); err != nil { // the client has gone
		http.Error(w, "read manifest", http.StatusBadRequest)
		return
	}
	if err := s.share(r); err != nil {
		s.logger.Warn("registry: a layer of another repository has to be pushed again", "error", err)
	}
	s.app.ServeHTTP(w, r.WithContext(withLogger(r.Context(), s.logger)))
}

// Serve serves on ln until ctx ends, then lets running requests end within a few seconds. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.tidy(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve registry on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer done()
	if err := server.Shutdown(grace); err != nil {
		// A push that is cut off starts again, and a connection that was opened but never used holds up Shutdown for 5 s.
		s.logger.Debug("registry: close connections that are still open", "error", err)
		return server.Close()
	}
	return nil
}
