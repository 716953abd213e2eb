package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	serverIdleTimeout = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Serve serves the handler on l until ctx ends, then lets requests finish within grace and returns nil. Connections that
// were upgraded are closed, WebSockets with code 1001, when the grace is over or all other requests have finished. Bodies have no time
// limit in either direction: previews stream.
func Serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	// Requests outlive ctx by the grace; an upgraded connection ends with its request's context and not with Shutdown.
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	var underWay sync.WaitGroup
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)            // where l's connections are TLS
	protocols.SetUnencryptedHTTP2(true) // for proxies that know; a browser speaks HTTP/2 over TLS alone
	server := &http.Server{
		Protocols: &protocols,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			underWay.Add(1)
			defer underWay.Done()
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       serverIdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve previews on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	graceful, cancel := context.WithTimeout(requests, grace)
	defer cancel()
	if err := server.Shutdown(graceful); err != nil {
		if closeErr := server.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
			return fmt.Errorf("close previews' connections: %w", closeErr)
		}
	}
	endRequests()
	ended := make(chan struct{})
	go func() { defer close(ended); underWay.Wait() }()
	select {
	case <-ended:
	case <-time.After(2 * closeWait):
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve previews on %s: %w", l.Addr(), err)
	}
	return nil
}
