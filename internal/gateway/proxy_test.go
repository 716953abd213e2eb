package gateway_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gateway"
)

func TestHostIsMatchedWithoutPortCaseAndDot(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
	front, _, _ := serve(t, nil, live(b))
	for _, host := range []string{
		previewHost, previewHost + ":8000", strings.ToUpper(previewHost), previewHost + ".", "1234ABCD-preview.LocalHost.:80",
	} {
		response, body := ask(t, front, host)
		require.Equal(t, http.StatusOK, response.StatusCode, host)
		require.Equal(t, host, body, "the app sees the host as the visitor wrote it")
	}
	for _, host := range []string{"localhost", "preview.localhost", "x" + previewHost, previewHost + ".example.com", "[::1]:8000", "127.0.0.1"} {
		response, _ := ask(t, front, host)
		require.Equal(t, http.StatusNotFound, response.StatusCode, host)
	}
}

func TestForwardedHeadersAreTheGatewaysOwn(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		w.Header().Set("X-Request-Id", "the app's")
	})
	front, _, _ := serve(t, func(o *gateway.Options) { o.PublicScheme = "https" }, live(b))
	response, _ := ask(t, front, previewHost+":8000",
		"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "bank.example.com", "X-Forwarded-Proto", "gopher", "Forwarded", "for=6.6.6.6",
		"X-Real-Ip", "6.6.6.6", "X-Forwarded-Port", "1", "X-Request-Id", "trace-1")
	got := <-seen
	require.Equal(t, []string{"127.0.0.1"}, got["X-Forwarded-For"])
	require.Equal(t, []string{previewHost + ":8000"}, got["X-Forwarded-Host"])
	require.Equal(t, []string{"https"}, got["X-Forwarded-Proto"])
	require.Equal(t, []string{"trace-1"}, got["X-Request-Id"])
	for _, name := range []string{"Forwarded", "X-Real-Ip", "X-Forwarded-Port"} {
		require.Empty(t, got[name], name)
	}
	require.Equal(t, []string{"trace-1"}, response.Header["X-Request-Id"])

	response, _ = ask(t, front, previewHost, "X-Request-Id", "a b<script>")
	require.Regexp(t, `^[A-Z2-7]{26}$`, (<-seen).Get("X-Request-Id"))
	require.Len(t, response.Header["X-Request-Id"], 1)
}

func TestPathQueryAndAnswerPassUnchanged(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusFound)
		fmt.Fprint(w, r.RequestURI)
	})
	front, _, _ := serve(t, nil, live(b))
	const uri = "/a%2Fb//c/../d%20e?x=1;y=2&z=%zz"
	connection, err := net.Dial("tcp", front.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	_, err = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", uri, previewHost)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, uri, string(body))
	require.Equal(t, http.StatusFound, response.StatusCode, "no redirect is followed")
	require.Equal(t, []string{"a=1", "b=2"}, response.Header["Set-Cookie"])
}

func TestWebSocketsPass(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, append([]byte("echo "), message...)); err != nil {
				return
			}
		}
	})
	front, _, _ := serve(t, nil, live(b))
	c, response, err := websocket.Dial(t.Context(), front.URL, &websocket.DialOptions{Host: previewHost}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	require.NotEmpty(t, response.Header.Get("X-Request-Id"))
	for i := range 3 {
		require.NoError(t, c.Write(t.Context(), websocket.MessageText, fmt.Append(nil, i)))
		_, message, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("echo ", i), string(message))
	}
}

func TestALineOfAStreamArrivesBeforeTheEnd(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "22") // an answer without a length is flushed by any proxy
		fmt.Fprint(w, "data: one\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		fmt.Fprint(w, "data: two\n\n")
	})
	front, _, _ := serve(t, nil, live(b))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL, nil)
	require.NoError(t, err)
	r.Host = previewHost
	response, err := front.Client().Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "data: one\n", first)
	close(release)
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.Equal(t, "\ndata: two\n\n", string(rest))
}

func TestAnUploadIsStreamed(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		_, err := io.CopyN(sum, r.Body, 5)
		if err != nil {
			t.Error(err)
		}
		close(started) // the rest is only sent now: a gateway that buffers would never get here
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintln(w, n+5, err, hex.EncodeToString(sum.Sum(nil)))
	})
	front, _, _ := serve(t, nil, live(b))
	body, writer := io.Pipe()
	rest := strings.Repeat("x", 3<<20)
	go func() {
		_, _ = io.WriteString(writer, "first")
		<-started
		_, _ = io.WriteString(writer, rest)
		_ = writer.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, body)
	require.NoError(t, err)
	r.Host = previewHost
	_, got := send(t, front, r)
	sum := sha256.Sum256([]byte("first" + rest))
	require.Equal(t, fmt.Sprintln(len("first"+rest), nil, hex.EncodeToString(sum[:])), got)
}

func TestAPreviewThatIsGoneIsSaidSo(t *testing.T) {
	t.Parallel()
	b := backend(t, nil)
	route := live(b)
	b.Close()
	front, _, _ := serve(t, nil, route)
	response, body := ask(t, front, previewHost)
	require.Equal(t, http.StatusBadGateway, response.StatusCode)
	require.Equal(t, "gateway.upstream_refused", problemOf(t, body)["code"])
	require.NotContains(t, body, route.Address, "addresses inside are nobody's business")

	response, body = ask(t, front, previewHost, "Accept", "text/html")
	require.Equal(t, http.StatusBadGateway, response.StatusCode)
	require.Contains(t, body, "does not accept connections")
}

func TestAnAnswerThatIsNotHTTPIsSaidSo(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(connection, "SSH-2.0-nonsense\r\n\r\n")
		_ = connection.Close()
	})
	front, _, _ := serve(t, nil, live(b))
	response, body := ask(t, front, previewHost)
	require.Equal(t, http.StatusBadGateway, response.StatusCode)
	require.Equal(t, "gateway.upstream_failed", problemOf(t, body)["code"])
}
