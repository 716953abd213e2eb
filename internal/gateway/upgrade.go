package gateway

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/felixge/httpsnoop"
)

// closeWait is how long a visitor's browser may take to answer that a WebSocket is closed, and an app to end a frame.
const closeWait = time.Second

// takenOver gives away a connection that is counted on: an upgrade has been answered.
func (w *watched) takenOver(hijack httpsnoop.HijackFunc, r *http.Request) httpsnoop.HijackFunc {
	return func() (net.Conn, *bufio.ReadWriter, error) {
		conn, buffered, err := hijack()
		if err != nil {
			return conn, buffered, err
		}
		w.status, w.stream = http.StatusSwitchingProtocols, true
		c := newClient(conn, w, strings.EqualFold(r.Header.Get("Upgrade"), "websocket"))
		w.upgraded.Store(c)
		return c, buffered, nil
	}
}

// client is a visitor's connection after an upgrade. Of a WebSocket it follows the frames, so that it can be closed with a word
// of the gateway's own.
type client struct {
	net.Conn
	seen      *watched
	webSocket bool

	in       frames // what the visitor says; of Read alone
	begun    signal // the answer to the upgrade is written
	answered signal // the visitor has closed, or is gone

	mu      sync.Mutex // guards what follows
	out     frames     // what the app says
	leaving bool       // after the frame that is under way nothing of the app's is passed on
	left    bool       // the Close frame is written
}

func newClient(conn net.Conn, seen *watched, webSocket bool) *client {
	return &client{Conn: conn, seen: seen, webSocket: webSocket, begun: signal{ch: make(chan struct{})}, answered: signal{ch: make(chan struct{})}}
}

// signal is given once, and stays given.
type signal struct {
	ch   chan struct{}
	once sync.Once
}

func (s *signal) give() { s.once.Do(func() { close(s.ch) }) }

// within reports whether the signal is given, which it waits for.
func (s *signal) within(d time.Duration) bool {
	select {
	case <-s.ch:
		return true
	case <-time.After(d):
		return false
	}
}

func (c *client) Read(p []byte) (int, error) {
	c.begun.give()
	n, err := c.Conn.Read(p)
	c.seen.received.Add(int64(n))
	if c.webSocket {
		c.in.feed(p[:n], false)
	}
	if err != nil || c.in.closed {
		c.answered.give()
	}
	return n, err
}

func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.webSocket {
		return c.write(p)
	}
	if c.left {
		return len(p), nil
	}
	if n, err := c.write(p[:c.out.feed(p, c.leaving)]); err != nil {
		return n, err
	}
	if c.leaving && c.out.between() {
		return len(p), c.leave()
	}
	return len(p), nil
}

func (c *client) write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.seen.sent.Add(int64(n))
	return n, err
}

// leave writes the Close frame, unless the app has closed by itself.
func (c *client) leave() error {
	c.left = true
	if c.out.closed {
		return nil
	}
	_, err := c.write(goingAway)
	return err
}

// CloseWrite passes on that an app has nothing more to say.
func (c *client) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// goAway closes the connection; a WebSocket with code 1001, after the frame that is under way. It waits for the visitor's own
// Close frame: on a connection that is closed with something unread, what was written last may be lost.
func (c *client) goAway() {
	defer c.Close()
	if !c.webSocket || !c.begun.within(closeWait) { // a visitor may have read the answer to the upgrade already
		return
	}
	if c.SetWriteDeadline(time.Now().Add(closeWait)) != nil { // which also ends a write that holds the lock
		return
	}
	if c.beginToLeave() {
		c.answered.within(closeWait)
	}
}

func (c *client) beginToLeave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	return !c.out.between() || c.leave() == nil
}
