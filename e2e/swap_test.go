package e2e_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

// talker is an app that answers /slow once its WebSocket has said something, and tells at /asked whether that was asked for.
const talker = `import base64, hashlib, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

said, asked = threading.Event(), threading.Event()

class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.talk()
        if self.path == "/slow":
            asked.set()
            said.wait()
        body = os.environ["SLIPWAY_DEPLOYMENT_ID"].encode()
        if self.path == "/asked":
            body = str(asked.is_set()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def talk(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while self.rfile.read(1):
            said.set()
        self.close_connection = True

ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), App).serve_forever()
`

// What was under way when a preview was replaced goes on: a slow request is answered by the app that it was sent to, and a WebSocket
// stays open until the drain time is over and is closed with 1001 then. The new app answers meanwhile.
func TestSwapLetsWhatIsUnderWayGoOn(t *testing.T) {
	t.Parallel()
	repo, url := publicRepository(t)
	gitservetest.Commit(t, repo, "main", map[string]string{"main.py": talker, "requirements.txt": "", "Procfile": "web: python main.py\n"})
	project := createProject(t, "talker", url, nil)
	first := waitEnd(t, deploy(t, project, nil), "ready")

	socket, _, err := websocket.Dial(t.Context(), first.EnvironmentURL, &websocket.DialOptions{HTTPClient: dev.browser()}) //nolint:bodyclose // by CloseNow
	require.NoError(t, err)
	defer func() { _ = socket.CloseNow() }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, first.EnvironmentURL+"/slow", nil)
	require.NoError(t, err)
	answered := make(chan string, 1)
	go func() {
		response, err := dev.browser().Do(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	require.Eventually(t, func() bool { _, body := dev.get(t, first.EnvironmentURL+"/asked"); return body == "True" }, eventually, tick)

	second := waitEnd(t, deploy(t, project, nil), "ready")
	require.Eventually(t, func() bool { // a gateway that is told late goes on with what it knows
		_, body := dev.get(t, second.EnvironmentURL)
		return body == second.ID
	}, eventually, tick)
	require.Empty(t, answered)
	require.NoError(t, socket.Write(t.Context(), websocket.MessageText, []byte("go on")))
	require.Equal(t, first.ID, <-answered)
	_, _, err = socket.Read(t.Context())
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), "%v", err)
	requireNothingLeft(t, first.ID)
}
