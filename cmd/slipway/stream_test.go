package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func withDeployment(t *testing.T, status oapi.DeploymentStatus) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.deployments = []oapi.Deployment{made(1, status)}
	return api
}

// texts returns the lines that `logs` printed, without their times.
func texts(stdout string) []string {
	var found []string
	for line := range strings.Lines(stdout) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "build    ")
		found = append(found, text)
	}
	return found
}

func TestAStreamThatBreaksIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "building")
	asked := make(chan int64, 10)
	api.stream = func(c *gin.Context, connection int, last int64) {
		asked <- last
		switch connection {
		case 1:
			send(c, "log", logLine(1))
			send(c, "log", logLine(2))
			_, _ = fmt.Fprint(c.Writer, "id: 3\nevent: log\ndata: {\"seq\":3,\"ti") // cut in the middle of an event
			c.Writer.Flush()
			panic(http.ErrAbortHandler)
		case 2:
			c.AbortWithStatus(http.StatusServiceUnavailable)
		case 3:
			send(c, "log", logLine(2)) // was there already
			send(c, "log", logLine(3)) // and ends without an end
		default:
			send(c, "log", logLine(4))
			send(c, "end", oapi.EndEvent{Status: "ready"})
		}
	}
	code, stdout, stderr := user(t, api).run("logs", "-f", "shop#1")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{"line 1", "line 2", "line 3", "line 4"}, texts(stdout))
	close(asked)
	var resumed []int64
	for last := range asked {
		resumed = append(resumed, last)
	}
	require.Equal(t, []int64{0, 2, 2, 3}, resumed, "Last-Event-ID of each connection")
	require.Contains(t, stderr, "connection to the API lost (the stream was cut), trying again in 1ms\n")
	require.True(t, strings.HasSuffix(stderr, "shop#1 is ready\n"), stderr)
}

func TestACutLogSaysSo(t *testing.T) {
	t.Parallel()
	mark := logLine(901)
	mark.Stream, mark.Text = "slipway", "… 899 lines are not kept …"
	mark.Cut = &oapi.LogCut{From: 3, To: 901, Lines: 899, Bytes: 12345}
	api := withDeployment(t, "building")
	api.lines = []oapi.LogLine{logLine(1), logLine(2), mark, logLine(902)}
	want := []string{"line 1", "line 2", "… 899 lines are not kept …", "line 902"}
	code, stdout, stderr := user(t, api).run("logs", "shop#1")
	require.Zero(t, code, stderr)
	require.Equal(t, want, texts(stdout))

	code, stdout, stderr = user(t, api).run("logs", "shop#1", "--output", "json")
	require.Zero(t, code, stderr)
	require.Equal(t, 1, strings.Count(stdout, "cut"))
	require.Contains(t, stdout, `"cut":{"bytes":12345,"from":3,"lines":899,"to":901}`)

	api.stream = func(c *gin.Context, connection int, last int64) {
		if connection == 1 {
			send(c, "log", logLine(1))
			send(c, "log", logLine(2))
			return // and by the next connection the log is cut
		}
		require.EqualValues(t, 2, last)
		send(c, "log", mark)
		send(c, "log", logLine(902))
		send(c, "end", oapi.EndEvent{Status: "ready"})
	}
	code, stdout, stderr = user(t, api).run("logs", "-f", "shop#1")
	require.Zero(t, code, stderr)
	require.Equal(t, want, texts(stdout))
}

func TestFollowingGoesOnWithoutAStream(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "building")
	api.pageLimit = 2
	api.stream = func(c *gin.Context, _ int, _ int64) { c.Data(200, "application/json", []byte("{}")) } // a proxy that knows no streams
	looks := 0
	api.onGet = func(d *oapi.Deployment) {
		if looks++; looks == 2 {
			api.lines = []oapi.LogLine{logLine(1), logLine(2), logLine(3)}
			ready(d)
		}
	}
	code, stdout, stderr := user(t, api).run("logs", "-f", deploymentID(1))
	require.Zero(t, code, stderr)
	require.Equal(t, []string{"line 1", "line 2", "line 3"}, texts(stdout))
}

func TestTheAppIsFollowedForAsLongAsItIsLive(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "ready")
	api.lines, api.previews = []oapi.LogLine{logLine(1)}, []oapi.Preview{previewOf(1, "production")}
	api.stream = func(c *gin.Context, connection int, _ int64) {
		require.Equal(t, "/v1/previews/"+deploymentID(1)+"/logs", c.Request.URL.Path)
		if connection == 1 {
			send(c, "log", logLine(1))
			return // cut: the deployment has ended, and yet this goes on
		}
		send(c, "log", logLine(2))
		send(c, "end", oapi.EndEvent{Status: "ready"})
	}
	code, stdout, stderr := user(t, api).run("logs", "-f", "--app", "shop#1")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{"line 1", "line 2"}, texts(stdout))
	require.True(t, strings.HasSuffix(stderr, "shop#1 is not live any more\n"), stderr)
}

func TestCtrlCLeavesTheAppAlone(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "ready")
	api.previews = []oapi.Preview{previewOf(1, "production")}
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	api.stream = func(c *gin.Context, _ int, _ int64) {
		send(c, "log", logLine(1))
		<-c.Request.Context().Done()
	}
	var stdout, stderr buffer
	done := make(chan int)
	go func() { done <- user(t, api).cli(&stdout, &stderr).run(ctx, []string{"logs", "-f", "--app", "shop#1"}) }()
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), "line 1") }, eventually, tick)
	interrupt()
	require.Equal(t, exitInterrupted, <-done)
	require.Equal(t, "interrupted: shop#1 goes on\n", stderr.String(), "there is nothing to cancel")
}

func TestASilentConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "building")
	api.stream = func(c *gin.Context, connection int, last int64) {
		if last == 0 { // it may not have come before the connection was given up
			send(c, "log", logLine(1))
		}
		if connection == 1 {
			<-c.Request.Context().Done()
			return
		}
		send(c, "end", oapi.EndEvent{Status: "failed"})
	}
	p := user(t, api)
	p.tune = func(c *cli) { c.pace.silence = 20 * time.Millisecond }
	code, stdout, stderr := p.run("logs", "-f", "shop#1")
	require.Zero(t, code, stderr)
	require.Equal(t, []string{"line 1"}, texts(stdout))
	require.Contains(t, stderr, "connection to the API lost (silent for 20ms)")
}

func TestFollowingAnAPIThatIsGoneEnds(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "building")
	api.stream = func(c *gin.Context, _ int, _ int64) {
		send(c, "log", logLine(1))
		api.mu.Lock()
		api.problem = &oapi.Problem{Status: 503, Code: "unavailable", Detail: "the database is away"}
		api.mu.Unlock()
	}
	p := user(t, api)
	p.tune = func(c *cli) { c.pace.patience = 30 * time.Millisecond }
	code, _, stderr := p.run("logs", "-f", "shop#1")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "error: the API was away for more than 30ms (the database is away); the deployment goes on without this program\n")
	require.LessOrEqual(t, strings.Count(stderr, "trying again"), 4, "only the waits that grow are told")
}

func TestARefusalIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	api := withDeployment(t, "building")
	api.stream = func(c *gin.Context, _ int, _ int64) { notFound(c, "no deployment has this id") }
	code, _, stderr := user(t, api).run("logs", "-f", "shop#1")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: no deployment has this id\n", stderr)
	require.Equal(t, 1, api.connections)
}

func TestMessages(t *testing.T) {
	t.Parallel()
	stream := ": ping\n\nid: 1\nevent: log\ndata: {\"a\":\ndata: 1}\n\n\nevent:end\r\ndata:x: y\r\n\r\nevent: log\ndata: cut"
	var got []message
	for m, err := range messages(strings.NewReader(stream)) {
		require.NoError(t, err)
		got = append(got, m)
	}
	require.Equal(t, []message{{"log", "{\"a\":\n1}"}, {"end", "x: y"}}, got)

	for _, err := range []error{func() (last error) {
		for _, err := range messages(strings.NewReader("data: " + strings.Repeat("x", maxEvent) + "\n\n")) {
			last = err
		}
		return last
	}()} {
		require.ErrorContains(t, err, "too long")
	}
}
