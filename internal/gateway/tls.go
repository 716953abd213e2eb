package gateway

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of the beginning of a TLS connection. A visitor has to say soon what they want; while a certificate is ordered for them, they
// wait.
const (
	helloTimeout     = 10 * time.Second
	handshakeTimeout = 90 * time.Second
)

// tlsListener hands out connections whose handshake is done, since net/http would bound and log handshakes as if no certificate were
// ever waited for.
type tlsListener struct {
	net.Listener
	config *tls.Config
	log    *slog.Logger

	ready  chan net.Conn
	closed context.Context // ends with the listener
	close  context.CancelCauseFunc
	once   sync.Once
}

// ListenTLS returns a listener of TLS connections on l. NextProtos of the configuration that are no HTTP are answered by the handshake
// alone.
func ListenTLS(l net.Listener, config *tls.Config, log *slog.Logger) net.Listener {
	config = config.Clone() // one for all connections: it holds what they are resumed with
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return nil, hello.Conn.SetDeadline(time.Now().Add(handshakeTimeout))
	}
	t := &tlsListener{Listener: l, config: config, log: log.With("component", "gateway"), ready: make(chan net.Conn)}
	t.closed, t.close = context.WithCancelCause(context.Background())
	go t.accept()
	return t
}

// Accept returns the next connection whose handshake is done.
func (t *tlsListener) Accept() (net.Conn, error) {
	select {
	case conn := <-t.ready:
		return conn, nil
	case <-t.closed.Done():
		return nil, context.Cause(t.closed)
	}
}

// Close ends the listener and the handshakes under way.
func (t *tlsListener) Close() error {
	err := net.ErrClosed
	t.once.Do(func() { err = t.Listener.Close() })
	t.close(net.ErrClosed)
	return err
}

func (t *tlsListener) accept() {
	var pause time.Duration
	for {
		conn, err := t.Listener.Accept()
		if err == nil {
			pause = 0
			go t.greet(conn)
			continue
		}
		if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() { // as net/http does: too many open files
			t.close(err)
			return
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		t.log.Warn("cannot accept a connection", "error", err)
		select {
		case <-time.After(pause):
		case <-t.closed.Done():
			return
		}
	}
}

// greet does the handshake of a connection.
func (t *tlsListener) greet(plain net.Conn) {
	conn := tls.Server(plain, t.config)
	err := plain.SetDeadline(time.Now().Add(helloTimeout))
	if err == nil {
		err = conn.HandshakeContext(t.closed)
	}
	if err == nil {
		err = plain.SetDeadline(time.Time{})
	}
	if err != nil {
		t.log.Debug("TLS handshake failed", "client", plain.RemoteAddr(), "error", err)
		plain.Close()
		return
	}
	switch conn.ConnectionState().NegotiatedProtocol {
	case "", "http/1.1", "h2":
	default: // a CA has seen what it came for
		conn.Close()
		return
	}
	select {
	case t.ready <- conn:
	case <-t.closed.Done():
		conn.Close()
	}
}

// Certificates are what the plain listener asks when there is a TLS listener beside it.
type Certificates interface {
	// HandleChallenge answers a CA that asks whether a name leads here; false when a request is none of that.
	HandleChallenge(w http.ResponseWriter, r *http.Request) bool
	// Has reports whether a name has a certificate already.
	Has(ctx context.Context, name string) bool
}

// Plain is the handler of the listener without TLS, when port is where people reach the one with TLS. It answers CAs, and sends visitors
// there whose preview has a certificate; others are served as they came.
func (g *Gateway) Plain(c Certificates, port int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.HandleChallenge(w, r) {
			return
		}
		host := hostname(r.Host)
		if g.originOf(r).scheme == "http" && g.Knows(r.Context(), host) == nil && c.Has(r.Context(), host) {
			if port != 443 {
				host = net.JoinHostPort(host, strconv.Itoa(port))
			}
			// Not http.Redirect: a path is sent on as it came.
			w.Header().Set("Location", "https://"+host+"/"+strings.TrimPrefix(r.URL.RequestURI(), "/"))
			w.Header().Set("Cache-Control", "no-store") // the certificate may be gone one day
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		g.ServeHTTP(w, r)
	})
}

// Knows says by an error, deployment.ErrNotFound or why nobody can tell, that a host name leads nowhere.
func (g *Gateway) Knows(ctx context.Context, host string) error {
	_, err := g.route(ctx, host)
	return err
}
