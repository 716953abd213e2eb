package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// load is what an app is used with, and what became of it.
type load struct {
	url  string
	slow time.Duration

	under sync.WaitGroup
	mu    sync.Mutex // guards what follows

	quick, slowly, uploads int
	answered               map[string]int  // by deployment
	took                   []time.Duration // by quick requests
	sockets                []time.Duration // how long WebSockets were open that were closed with 1001
	failures               []string
}

// browsing makes each request on a connection of its own: none is repeated in secret because another was cut off.
var browsing = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true,
	DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, in.gateway)
	},
}}

// listeners is how many WebSockets are open at a time.
const listeners = 5

// begin uses the app until stop is called, which waits for what is under way.
func (l *load) begin(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	l.every(done, time.Second/time.Duration(*swapRate), func() { l.ask(ctx, &l.quick, http.MethodGet, "/", nil) })
	l.every(done, 200*time.Millisecond, func() {
		l.ask(ctx, &l.slowly, http.MethodGet, fmt.Sprintf("/?ms=%d", l.slow.Milliseconds()), nil)
	})
	l.every(done, 200*time.Millisecond, func() { l.ask(ctx, &l.uploads, http.MethodPost, "/", &trickle{}) })
	for range listeners {
		l.under.Go(func() { l.listen(ctx, done) })
	}
	return func() {
		close(done)
		l.under.Wait()
	}
}

// every begins something at a constant rate until done.
func (l *load) every(done <-chan struct{}, interval time.Duration, begin func()) {
	l.under.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.under.Go(begin)
			case <-done:
				return
			}
		}
	})
}

// sent is how many quick requests were answered by now.
func (l *load) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quick
}

// await waits until so many quick requests were answered.
func (l *load) await(t *testing.T, requests int) {
	t.Helper()
	l.awaitThat(t, func() bool { return l.quick+len(l.failures) >= requests })
}

// awaitClosed waits until so many WebSockets were closed with 1001, or something failed.
func (l *load) awaitClosed(t *testing.T, sockets int) {
	t.Helper()
	l.awaitThat(t, func() bool { return len(l.sockets) >= sockets || len(l.failures) > 0 })
}

func (l *load) awaitThat(t *testing.T, holds func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return holds()
	}, 10*time.Minute, tick)
}

// ask makes a request and notes who answered.
func (l *load) ask(ctx context.Context, count *int, method, path string, body io.Reader) {
	begun := time.Now()
	who, err := answerTo(ctx, method, l.url+path, body)
	if id, bytes, sent := strings.Cut(who, " "); sent {
		who = id
		if bytes != fmt.Sprint(uploaded) {
			err = fmt.Errorf("an upload arrived with %s bytes", bytes)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failures = append(l.failures, fmt.Sprintf("%s %s after %s: %v", method, path, time.Since(begun), err))
		return
	}
	*count++
	l.answered[who]++
	if count == &l.quick {
		l.took = append(l.took, time.Since(begun))
	}
}

func answerTo(ctx context.Context, method, url string, body io.Reader) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return "", err
	}
	response, err := browsing.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(text), err
}

// listen keeps a WebSocket open, and opens the next when it was closed.
func (l *load) listen(ctx context.Context, done <-chan struct{}) {
	for {
		closed, begun := make(chan error, 1), time.Now()
		socket, _, err := websocket.Dial(ctx, l.url, &websocket.DialOptions{HTTPClient: browsing}) //nolint:bodyclose // by CloseNow
		if err != nil {
			l.fail(fmt.Sprintf("a WebSocket was not opened: %v", err))
			return
		}
		go func() { closed <- l.hear(ctx, socket) }()
		select {
		case err := <-closed:
			if status := websocket.CloseStatus(err); status != websocket.StatusGoingAway {
				l.fail(fmt.Sprintf("a WebSocket ended with %v", err))
				return
			}
			l.mu.Lock()
			l.sockets = append(l.sockets, time.Since(begun))
			l.mu.Unlock()
		case <-done:
			_ = socket.CloseNow()
			<-closed
			return
		}
	}
}

// hear reads a WebSocket until it ends.
func (l *load) hear(ctx context.Context, socket *websocket.Conn) error {
	for {
		_, who, err := socket.Read(ctx)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.answered[string(who)]++
		l.mu.Unlock()
	}
}

func (l *load) fail(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, text)
}

// uploaded is how many bytes an upload has, which come within uploading.
const (
	uploaded  = 256 << 10
	uploading = 2 * time.Second
)

// trickle is a body that comes in pieces.
type trickle struct{ sent int }

func (b *trickle) Read(p []byte) (int, error) {
	if b.sent == uploaded {
		return 0, io.EOF
	}
	n := min(len(p), uploaded/16, uploaded-b.sent)
	<-time.After(uploading * time.Duration(n) / uploaded) // as a visitor with a slow line
	clear(p[:n])
	b.sent += n
	return n, nil
}
