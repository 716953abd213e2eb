package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/supervise"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// newDetached is a data directory whose API answers, with programs to take the digest of.
func newDetached(t *testing.T) detached {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(api.Close)
	dir := t.TempDir()
	for _, name := range []string{"slipway-temporal", "buildkitd"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o700))
	}
	d := detached{out: &bytes.Buffer{}, paths: paths{config.Dev{DataDir: filepath.Join(dir, "data"), BinDir: dir}}}
	d.API.Addr = api.Listener.Addr().String()
	require.NoError(t, os.MkdirAll(d.run(), 0o700))
	return d
}

func (d detached) says(t *testing.T, lines ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(d.progress(), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

// upon calls do once when text is written.
type upon struct {
	bytes.Buffer
	text string
	do   func()
}

func (u *upon) Write(b []byte) (int, error) {
	if u.do != nil && strings.Contains(string(b), u.text) {
		u.do()
		u.do = nil
	}
	return u.Buffer.Write(b)
}

func TestUpWaitsForOneThatIsStarting(t *testing.T) {
	t.Parallel()
	d := newDetached(t)
	lock, err := supervise.Lock(d.DataDir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lock.Unlock()) })
	_, rec, err := d.wanted(false)
	require.NoError(t, err)
	rec.PID = os.Getpid()
	require.NoError(t, rec.write(d.paths))
	d.says(t, "  0.1s registry runs")
	out := &upon{text: "is starting", do: func() { d.says(t, "  0.1s registry runs", "  0.2s ready") }}
	d.out = out
	require.NoError(t, d.ensureRunning(t.Context(), false))
	pid := strconv.Itoa(os.Getpid())
	require.Equal(t, "==> slipway-dev is starting (process "+pid+")\n      0.1s registry runs\n      0.2s ready\n"+
		"==> slipway-dev runs already (process "+pid+"), nothing has changed\n", out.String())
}

func TestInterruptedStartSaysThatItGoesOn(t *testing.T) {
	t.Parallel()
	d := newDetached(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, d.awaitReady(ctx, 42, nil), "goes on starting in the background (process 42): `make up` shows how it went")
}

func TestStartThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	d := newDetached(t)
	log, err := d.newLog()
	require.NoError(t, err)
	defer log.Close()
	_, err = log.WriteString("level=INFO msg=begins\nerror: SLIPWAY_API_ADDR: taken\nSLIPWAY_UI_ADDR: taken\n")
	require.NoError(t, err)
	exited := make(chan string, 1)
	exited <- "exit status 1"
	err = d.awaitReady(t.Context(), 42, exited)
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "(exit status 1):\n  SLIPWAY_API_ADDR: taken\n  SLIPWAY_UI_ADDR: taken\n  the whole log: "+log.Name())

	again, err := d.newLog()
	require.NoError(t, err)
	defer again.Close()
	require.Contains(t, reason(log.Name()+".1", 0), "taken", "the log of the one before is kept")
}

func TestReasonWithoutAnErrorIsTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	require.Contains(t, reason(path, 0), "no such file")
	var lines []string
	for i := range 20 {
		lines = append(lines, strconv.Itoa(i))
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	require.Equal(t, "  "+strings.Join(lines[12:], "\n  "), reason(path, 0))

	before := "error: of an earlier run\n"
	require.NoError(t, os.WriteFile(path, []byte(before+"panic: now\n"), 0o600))
	require.Equal(t, "  panic: now", reason(path, int64(len(before))))
	require.Contains(t, reason(path, 1<<20), "panic: now", "a log that has begun anew")
}

func TestPortsInUseAreNamedWithTheirHolder(t *testing.T) {
	t.Parallel()
	var c config.Dev
	addrs := []*string{&c.API.Addr, &c.Gateway.Addr, &c.Temporal.Addr, &c.Temporal.UIAddr, &c.Registry.Addr}
	free, err := testbed.FreePorts(len(addrs)) // not of the kernel's choice, which may give them to a connection once they are free again
	require.NoError(t, err)
	var listeners []net.Listener
	for i, addr := range addrs {
		*addr = free[i]
		l, err := net.Listen("tcp", *addr)
		require.NoError(t, err)
		listeners = append(listeners, l)
	}
	err = checkPorts(t.Context(), c)
	self := " is in use by process " + strconv.Itoa(os.Getpid()) + " ("
	require.ErrorContains(t, err, "SLIPWAY_API_ADDR: "+c.API.Addr+self)
	require.ErrorContains(t, err, "SLIPWAY_UI_ADDR: "+c.Temporal.UIAddr+self)
	require.ErrorContains(t, err, "or set SLIPWAY_UI_ADDR to another address")
	for _, l := range listeners {
		require.NoError(t, l.Close())
	}
	require.NoError(t, checkPorts(t.Context(), c))
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	fix := "listen on PORT"
	d := &client.Deployment{ID: "an-id", Status: client.DeploymentStatusFailed}
	require.Equal(t, "the example's deploy is failed: `make up` deploys it again", verdict(d))
	d.Failure = &client.Failure{Message: "nothing listens", Lines: []string{"one", "two"}, Fix: &fix}
	require.Equal(t, "the example's deploy is failed: nothing listens\n  one\n  two\n  fix: listen on PORT\n  its log: bin/slipway logs an-id", verdict(d))
}
