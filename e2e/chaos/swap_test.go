package chaos_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
)

var (
	swapRate = flag.Int("swap-rate", 50, "requests a second that TestSwap begins, whatever becomes of those before")
	swaps    = flag.Int("swaps", 2, "redeploys of TestSwap")
	requests = flag.Int("requests", 500, "requests of TestSwap at least, at a constant rate; its redeploys are spread over them")
	drain    = flag.Duration("drain", 15*time.Second, "SLIPWAY_DRAIN_WAIT of TestSwap; its slow requests take two seconds less, and 5 s at most")
)

// swapApp says which deployment it is: at once, slowly, to who has sent a body, and again and again by WebSocket.
const swapApp = `const crypto = require("crypto"), http = require("http");
const me = process.env.SLIPWAY_DEPLOYMENT_ID;
const server = http.createServer((q, r) => {
  const url = new URL(q.url, "http://localhost");
  if (q.method === "POST") {
    let bytes = 0;
    q.on("data", (d) => bytes += d.length).on("end", () => r.end(me + " " + bytes));
    return;
  }
  setTimeout(() => r.end(me), +url.searchParams.get("ms"));
});
server.on("upgrade", (q, socket) => {
  const accept = crypto.createHash("sha1").update(q.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n");
  const timer = setInterval(() => socket.write(Buffer.concat([Buffer.from([0x81, me.length]), Buffer.from(me)])), 100);
  socket.on("close", () => clearInterval(timer)).on("error", () => {}).resume();
});
server.listen(process.env.PORT, "0.0.0.0");
`

// TestSwap redeploys an app again and again while it is used: requests at a constant rate, slow ones, uploads and WebSockets. None
// fails; a WebSocket that is still open when its app's drain time is over is closed with 1001, and no earlier.
func TestSwap(t *testing.T) {
	restartWith(t, "SLIPWAY_DRAIN_WAIT="+drain.String())
	a := newApp(t, "swapped", nil, 0)
	a.commit = gitservetest.Commit(t, a.repo, "main", map[string]string{"server.js": swapApp})
	first := awaitStatus(t, a.deploy(t), "ready")
	load := &load{url: first.EnvironmentURL, slow: min(5*time.Second, *drain-2*time.Second), answered: map[string]int{}}
	stop := load.begin(t.Context())

	ids, ready := []string{first.ID}, []time.Duration{}
	for i := range *swaps {
		load.await(t, (i+1)**requests/(*swaps+1))
		begun := time.Now()
		d := awaitStatus(t, a.deploy(t), "ready")
		ids, ready = append(ids, d.ID), append(ready, time.Since(begun))
	}
	load.await(t, max(*requests, load.sent()+*swapRate)) // some for the last one
	load.awaitClosed(t, listeners)                       // those that were open at first, at least
	stop()

	require.Empty(t, load.failures)
	for id := range load.answered {
		require.Contains(t, ids, id)
	}
	for _, id := range ids {
		require.Positive(t, load.answered[id], "deployment %s was never asked", id)
	}
	for _, open := range load.sockets {
		// One may have been opened to an app that was replaced: a gateway that is told late goes on for 2 s with what it knows.
		require.Greater(t, open, *drain-3*time.Second, "a WebSocket was closed before its app's drain time was over")
	}
	text := load.table(ready)
	t.Log("\n" + text)
	if *report != "" {
		rewrite(t, *report, "swap", fmt.Sprintf("Run on %s, on %s, `SLIPWAY_DRAIN_WAIT=%s`.\n\n%s", time.Now().UTC().Format(time.DateOnly), machine(t), *drain, text))
	}
}

// table writes down what was sent and how it was answered.
func (l *load) table(ready []time.Duration) string {
	var b strings.Builder
	row := func(what string, value any) { fmt.Fprintf(&b, "| %s | %v |\n", what, value) }
	b.WriteString("| | |\n|---|---:|\n")
	row("redeploys", len(ready))
	row(fmt.Sprintf("requests, %d a second", *swapRate), l.quick)
	row(fmt.Sprintf("slow requests, %s each", l.slow), l.slowly)
	row("uploads, 256 KiB within 2 s", l.uploads)
	row("WebSockets, open until closed with 1001", len(l.sockets))
	row("failed", len(l.failures))
	slices.Sort(l.took)
	for _, p := range []int{50, 99, 100} {
		row(fmt.Sprintf("p%d of a request", p), fmt.Sprintf("%d ms", l.took[(len(l.took)-1)*p/100].Milliseconds()))
	}
	slices.Sort(ready)
	row("from POST to ready, the median", fmt.Sprintf("%.1f s", ready[len(ready)/2].Seconds()))
	return b.String()
}
