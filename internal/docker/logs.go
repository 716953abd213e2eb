package docker

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// restartInterval is how often Logs looks whether a container that restarts is back.
const restartInterval = 250 * time.Millisecond

// streamSkew is how far the stamps of a container's two streams may be out of order: the engine stamps each by itself.
const streamSkew = 10 * time.Second

// Logs copies the container's output after from (nil for all of it) and then what follows, across restarts, each line once
// and in the order of its stream. It returns nil when the container has ended for good or is removed, the context's cause
// when ctx ends. Lines are valid UTF-8 of at most 1 MiB. line is called by one goroutine at a time.
func (e *Engine) Logs(ctx context.Context, name string, from deployment.OutputCursor, line func(deployment.OutputLine)) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	defer e.followers.join(name)()
	read := deployment.OutputCursor{}
	maps.Copy(read, from)
	for follow := true; ; {
		err := e.copyLogs(ctx, name, since(read.Latest(), follow), read, line)
		if removed(err) {
			return nil
		}
		if err == nil && ctx.Err() == nil && follow {
			// What follows can end before the last lines are stored: they are read once more when the container has ended.
			follow, err = e.comesBack(ctx, name)
			if err == nil {
				continue
			}
		}
		return e.failure(ctx, "follow the output of container "+name, orCause(ctx, err))
	}
}

// since asks for the output around and after the line stamped last, all of it for the zero time.
func since(last time.Time, follow bool) container.LogsOptions {
	o := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow}
	if !last.IsZero() {
		o.Since = stamp(last.Add(-streamSkew))
	}
	return o
}

// removed reports whether a container is gone or about to be.
func removed(err error) bool {
	return errdefs.IsNotFound(err) || mentions(err, "dead or marked for removal")
}

// comesBack waits while the engine is about to restart a container and reports whether it runs again.
func (e *Engine) comesBack(ctx context.Context, name string) (bool, error) {
	ticker := time.NewTicker(restartInterval)
	defer ticker.Stop()
	for {
		c, err := e.client.ContainerInspect(ctx, name)
		switch {
		case errdefs.IsNotFound(err):
			return false, nil
		case err != nil:
			return false, err
		case !c.State.Restarting:
			return c.State.Running, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// copyLogs reads output to its end, without the lines that were read before, and moves the cursor.
func (e *Engine) copyLogs(ctx context.Context, name string, o container.LogsOptions, read deployment.OutputCursor, line func(deployment.OutputLine)) error {
	body, err := e.client.ContainerLogs(ctx, name, o)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return demultiplex(body, read, line)
}

// demultiplex hands on whole lines. What a broken connection cuts off is read again from the cursor.
func demultiplex(body io.Reader, read deployment.OutputCursor, line func(deployment.OutputLine)) error {
	stdout := &lineWriter{stream: deployment.StreamStdout, line: line, read: read}
	stderr := &lineWriter{stream: deployment.StreamStderr, line: line, read: read}
	if _, err := stdcopy.StdCopy(stdout, stderr, body); err != nil {
		return err
	}
	stdout.flush()
	stderr.flush()
	return nil
}

// tail returns the last lines of a container's output, few enough for a failure; they are whole, and cut when they are
// recorded. The engine counts records of 16 KiB at most, which bounds them together. It is there to explain another
// error, so its own only goes to the log.
func (e *Engine) tail(ctx context.Context, name string) []string {
	var lines []deployment.OutputLine
	options := container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: strconv.Itoa(4 * deployment.MaxFailureLines),
	}
	err := e.copyLogs(ctx, name, options, deployment.OutputCursor{}, func(l deployment.OutputLine) {
		lines = append(lines, l)
	})
	if err != nil {
		e.log.WarnContext(ctx, "cannot read the last lines of a container", "container", name, "error", err)
	}
	return telling(lines)
}

// keptErrors is how many of the last lines of stderr a failure shows in any case.
const keptErrors = 10

// telling returns the last lines that a failure has room for, the last ones of stderr among them in any case. The engine
// reads the two streams apart, so what an app says last on one may stand far above what it said before on the other.
func telling(lines []deployment.OutputLine) []string {
	const n = deployment.MaxFailureLines
	cut := max(0, len(lines)-n)
	var above []string
	for _, l := range lines[:cut] {
		if l.Stream == deployment.StreamStderr {
			above = append(above, l.Text)
		}
	}
	said := make([]string, 0, n)
	below := 0
	for _, l := range lines[cut:] {
		if l.Stream == deployment.StreamStderr {
			below++
		}
		said = append(said, l.Text)
	}
	above = above[max(0, len(above)-max(0, keptErrors-below)):]
	return append(above, said[min(len(above), len(said)):]...)
}

// stamp writes a time as the engine reads it in Since, to the nanosecond.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// orCause returns err, or the context's cause when there is none.
func orCause(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return context.Cause(ctx)
}
