package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

// certificateOf returns a certificate for a host name, and those who trust it.
func certificateOf(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

// serveTLS serves a gateway by TLS; get finds its certificates, the usual one when it is nil.
func serveTLS(t *testing.T, g http.Handler, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) (addr string, roots *x509.CertPool) {
	t.Helper()
	certificate, roots := certificateOf(t, previewHost)
	if get == nil {
		get = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	config := &tls.Config{GetCertificate: get, NextProtos: []string{"h2", "http/1.1", "acme-tls/1"}}
	go func() {
		served <- gateway.Serve(ctx, gateway.ListenTLS(l, config, slog.New(slog.DiscardHandler)), g, time.Second)
	}()
	t.Cleanup(func() { stop(); require.NoError(t, <-served) })
	return l.Addr().String(), roots
}

func clientOf(addr string, roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" {
			c, err := websocket.Accept(w, r, nil)
			if err == nil {
				_ = c.Write(r.Context(), websocket.MessageText, []byte("hello"))
				_, _, _ = c.Read(r.Context())
			}
			return
		}
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"))
	})
	g := gateway.New(gateway.Options{Routes: &routes{known: map[string]deployment.Route{previewHost: live(b)}}, Logger: slog.New(slog.DiscardHandler)})
	addr, roots := serveTLS(t, g, nil)

	silent, err := net.Dial("tcp", addr) // holds nobody up
	require.NoError(t, err)
	defer silent.Close()
	client := clientOf(addr, roots)
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + previewHost)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0 https", answer.Proto+" "+string(body))

	c, _, err := websocket.Dial(t.Context(), "wss://"+previewHost, &websocket.DialOptions{HTTPClient: clientHTTP1(addr, roots)}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	_, message, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", string(message))

	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: previewHost, RootCAs: roots, NextProtos: []string{"acme-tls/1"}})
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, "acme-tls/1", conn.ConnectionState().NegotiatedProtocol)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "a CA has seen what it came for")
}

func clientHTTP1(addr string, roots *x509.CertPool) *http.Client {
	client := clientOf(addr, roots)
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	return client
}

// Who waits for a certificate waits longer than the time that a request's headers have.
func TestServeTLS_WaitsForACertificate(t *testing.T) {
	t.Parallel()
	certificate, roots := certificateOf(t, previewHost)
	asked, ordered := make(chan struct{}), make(chan error)
	b := backend(t, func(http.ResponseWriter, *http.Request) {})
	g := gateway.New(gateway.Options{Routes: &routes{known: map[string]deployment.Route{previewHost: live(b)}}, Logger: slog.New(slog.DiscardHandler)})
	addr, _ := serveTLS(t, g, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName != previewHost {
			return nil, errors.New("unknown")
		}
		asked <- struct{}{}
		return &certificate, <-ordered
	})
	client := clientOf(addr, roots)
	defer client.CloseIdleConnections()
	done := make(chan error, 1)
	go func() {
		answer, err := client.Get("https://" + previewHost)
		if err == nil {
			answer.Body.Close()
		}
		done <- err
	}()
	<-asked
	_, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "other.localhost", RootCAs: roots})
	require.Error(t, err, "refused while the other one waits")
	ordered <- nil
	require.NoError(t, <-done)
}

// stocked is what the plain listener is told of certificates.
type stocked map[string]bool

func (s stocked) Has(_ context.Context, name string) bool { return s[name] }

func (s stocked) HandleChallenge(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/.well-known/acme-challenge/token" {
		return false
	}
	fmt.Fprint(w, "answer")
	return true
}

func TestPlain(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto")) })
	other := live(b)
	other.Hostname = "shop.example.com" // somebody's own
	r := &routes{known: map[string]deployment.Route{previewHost: live(b), other.Hostname: other}}
	have := stocked{previewHost: true, "gone.localhost": true}
	front := func(port int) *httptest.Server {
		g := gateway.New(gateway.Options{
			Routes: r, Domain: "localhost", Logger: slog.New(slog.DiscardHandler), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		})
		server := httptest.NewServer(g.Plain(have, port))
		t.Cleanup(server.Close)
		return server
	}
	usual, odd := front(443), front(8443)
	seen, _ := ask(t, usual, previewHost+":80")
	require.Equal(t, http.StatusPermanentRedirect, seen.StatusCode)
	require.Equal(t, "https://"+previewHost+"/", seen.Header.Get("Location"))
	seen, _ = ask(t, odd, previewHost)
	require.Equal(t, "https://"+previewHost+":8443/", seen.Header.Get("Location"))

	seen, body := ask(t, usual, previewHost, "X-Forwarded-Proto", "https")
	require.Equal(t, "200 https", fmt.Sprint(seen.StatusCode, " ", body), "a proxy has done it: no circle")
	_, body = ask(t, usual, "shop.example.com")
	require.Equal(t, "http", body, "it has no certificate yet")
	for _, nobody := range []string{"gone.localhost", "nobody.example.com", "192.0.2.1", "localhost"} {
		seen, _ = ask(t, usual, nobody)
		require.Equal(t, http.StatusNotFound, seen.StatusCode, nobody)
	}
	challenge, err := http.NewRequestWithContext(t.Context(), http.MethodGet, usual.URL+"/.well-known/acme-challenge/token", nil)
	require.NoError(t, err)
	challenge.Host = previewHost
	_, body = send(t, usual, challenge)
	require.Equal(t, "answer", body)
}
