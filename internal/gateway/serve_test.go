package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

func TestServeLetsRequestsFinishAndEndsWebSockets(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
			fmt.Fprint(w, "finished")
			return
		}
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = c.Read(r.Context())
		}
	})
	g := gateway.New(gateway.Options{Routes: &routes{known: map[string]deployment.Route{previewHost: live(b)}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- gateway.Serve(ctx, l, g, time.Minute) }()

	front := "http://" + l.Addr().String()
	c, _, err := websocket.Dial(t.Context(), front, &websocket.DialOptions{Host: previewHost}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	answered := make(chan string, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, front+"/slow", nil)
		r.Host = previewHost
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	<-arrived
	stop()
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	}, 10*time.Second, 10*time.Millisecond, "new connections are refused")
	close(release)
	require.Equal(t, "finished", <-answered)
	requireGoingAway(t, c)
	require.NoError(t, <-served)
}
