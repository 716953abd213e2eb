package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/api/client"
)

// followers are how many readers follow a log: one, for what the others cost.
var followers = []int{1, 200}

const (
	loggedLines = 50_000
	mark        = "line of the benchmark"
	talkerName  = "bench-talker"
)

// talker is a build that waits until its readers are there, prints lines of 100 bytes and then fails, so that the streams end with
// the last one.
var talker = fmt.Sprintf(`FROM debian:bookworm
RUN sleep 5; seq -f '%%077.0f %s' %d; false
`, mark, loggedLines)

// follower is what one reader of the log has seen.
type follower struct {
	first, last time.Time
	lines       int
}

// ingest measures how fast the lines of a build come through: from the build to readers that follow it by SSE.
func (b *bench) ingest(ctx context.Context) error {
	if err := b.serveTalker(ctx); err != nil {
		return err
	}
	a := &app{name: talkerName}
	if err := b.slipway.adopt(ctx, a); err != nil {
		return err
	}
	var runs [][]follower
	for _, readers := range followers {
		d, err := b.slipway.post(ctx, a)
		if err != nil {
			return err
		}
		seen, err := b.follow(ctx, d, readers)
		if err != nil {
			return err
		}
		runs = append(runs, seen)
	}
	b.measures["ingest"] = ingestTable(runs)
	return nil
}

// serveTalker makes the repository of the talker.
func (b *bench) serveTalker(ctx context.Context) error {
	if err := os.MkdirAll(b.folder(talkerName), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.folder(talkerName), "Dockerfile"), []byte(talker), 0o644); err != nil {
		return err
	}
	return b.serve(ctx)
}

// follow follows a deployment's log with many readers until it has ended.
func (b *bench) follow(ctx context.Context, d *client.Deployment, readers int) ([]follower, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	seen := make([]follower, readers)
	group, ctx := errgroup.WithContext(ctx)
	for n := range seen {
		group.Go(func() (err error) {
			seen[n], err = b.read(ctx, d.ID)
			return err
		})
	}
	return seen, group.Wait()
}

func (b *bench) read(ctx context.Context, id string) (f follower, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.dev.API+"/v1/deployments/"+id+"/logs", nil)
	if err != nil {
		return f, err
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return f, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return f, fmt.Errorf("follow the log: %s", response.Status)
	}
	if f, err = readEvents(response.Body, time.Now); err == nil && f.lines != loggedLines {
		err = fmt.Errorf("a reader was sent %d lines of %d", f.lines, loggedLines)
	}
	return f, err
}

// readEvents counts a stream's marked lines until it ends. Their numbers must rise: each comes once.
func readEvents(stream io.Reader, now func() time.Time) (f follower, err error) {
	lines := bufio.NewReaderSize(stream, 64<<10)
	var seq int64
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		if id, found := bytes.CutPrefix(line, []byte("id: ")); found {
			next, err := strconv.ParseInt(string(bytes.TrimSpace(id)), 10, 64)
			if err != nil {
				return f, fmt.Errorf("read a log stream: %w", err)
			}
			if next <= seq {
				return f, fmt.Errorf("read a log stream: line %d comes after line %d", next, seq)
			}
			seq = next
		}
		if bytes.HasPrefix(line, []byte("data: ")) && bytes.Contains(line, []byte(`"stdout"`)) && bytes.Contains(line, []byte(mark+`"`)) {
			f.last = now()
			if f.lines == 0 {
				f.first = f.last
			}
			f.lines++
		}
	}
}

func ingestTable(runs [][]follower) string {
	var text strings.Builder
	fmt.Fprintf(&text, "A build prints %d lines of 100 bytes. Each reader was sent every line once.\n\n"+
		"| readers | fastest, lines/s | median | slowest |\n|---:|---:|---:|---:|\n", loggedLines)
	for _, seen := range runs {
		var rates []float64
		for _, f := range seen {
			rates = append(rates, float64(f.lines-1)/f.last.Sub(f.first).Seconds())
		}
		fmt.Fprintf(&text, "| %d | %.0f | %.0f | %.0f |\n", len(seen), slices.Max(rates), quantile(rates, 0.5), slices.Min(rates))
	}
	return text.String()
}
