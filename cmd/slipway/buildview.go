package main

import (
	"context"
	"fmt"
	"sync"

	domain "github.com/slipway-dev/slipway/internal/deployment"
)

// buildView shows a build on standard error: its lines, and on a terminal how far it is in a line at the bottom.
type buildView struct {
	c      *cli
	redact func(string) string

	mu       sync.Mutex
	progress domain.Progress
	drawn    bool
}

func (c *cli) newBuildView(redact func(string) string) *buildView {
	return &buildView{c: c, redact: redact}
}

// Line shows a line of the build.
func (v *buildView) Line(_, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
	v.c.say("%s", clean(v.redact(text)))
	v.draw()
}

// Progress shows how far the build is.
func (v *buildView) Progress(p domain.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress = p
	v.erase()
	v.draw()
}

// Vertex is told by a line already.
func (*buildView) Vertex(domain.BuildVertex) {}

// end gives the terminal back.
func (v *buildView) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
}

func (v *buildView) draw() {
	if v.c.screen.stderr && v.progress.Total > 0 {
		fmt.Fprintf(v.c.stderr, "%s %d%%, %d of %d done", v.progress.Phase, v.progress.Percent, v.progress.Done, v.progress.Total)
		v.drawn = true
	}
}

func (v *buildView) erase() {
	if v.drawn {
		fmt.Fprint(v.c.stderr, "\r\x1b[K")
		v.drawn = false
	}
}

// failed shows why a build failed; the lines may hold what a step printed.
func (v *buildView) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failed := *domain.AsFailure(err)
	failed.Message = v.redact(failed.Message)
	failed.Lines = nil
	for _, line := range domain.AsFailure(err).Lines {
		failed.Lines = append(failed.Lines, v.redact(line))
	}
	if failed.Code == "build.push_denied" {
		failed.Fix = "log in with an account that may push there: docker login HOST"
	}
	return planFailed(ctx, &failed)
}
