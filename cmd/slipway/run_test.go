package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How long tests wait for an event, and how often they look.
const (
	eventually = time.Minute
	tick       = time.Millisecond
)

// person runs commands as somebody in front of a shell.
type person struct {
	t     *testing.T
	vars  map[string]string
	stdin string
	tune  func(*cli)
	dir   string // where they are; empty for a folder outside of any checkout
}

// user returns somebody who is logged in to api.
func user(t *testing.T, api *fakeAPI) *person {
	t.Helper()
	return &person{t: t, vars: map[string]string{"SLIPWAY_API_URL": api.url, "SLIPWAY_TOKEN": testToken, "XDG_CONFIG_HOME": t.TempDir()}}
}

// buffer can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (p *person) cli(stdout, stderr io.Writer) *cli {
	c := newCLI(strings.NewReader(p.stdin), stdout, stderr, func(name string) string { return p.vars[name] })
	c.now, c.location = func() time.Time { return noon }, time.UTC
	c.pace = pace{first: time.Millisecond, max: 4 * time.Millisecond, patience: time.Minute, silence: time.Minute}
	c.pollEvery, c.statsEvery = time.Millisecond, time.Millisecond
	if c.dir = p.dir; c.dir == "" {
		c.dir = p.t.TempDir()
	}
	if p.tune != nil {
		p.tune(c)
	}
	return c
}

func (p *person) run(args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	var out, errs buffer
	code = p.cli(&out, &errs).run(context.Background(), args)
	return code, out.String(), errs.String()
}

// rootFS returns the smallest tar that is taken for a root file system.
func rootFS(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "./etc", Typeflag: tar.TypeDir, Mode: 0o755}))
	require.NoError(t, w.Close())
	return b.Bytes()
}
