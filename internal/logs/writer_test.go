package logs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
)

func TestLinesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	want := []deployment.LogLine{
		{Seq: 1, Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Step: deployment.StepFetch, Attempt: 2, Stream: deployment.StreamStderr, Text: "one"},
		{Seq: 2, Time: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC), Step: deployment.StepBuild, Attempt: 1, Stream: deployment.StreamStdout, Text: ""},
	}
	w.Append(b.id, want...)
	require.NoError(t, w.Flush(t.Context(), b.id))
	require.Equal(t, want, b.lines())

	page, err := b.reader.Lines(t.Context(), b.id, 1, 1)
	require.NoError(t, err)
	require.Equal(t, want[1:], page)
}

func TestLinesAreStoredWithoutFlush(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.Append(b.id, line("a"))
	require.Eventually(t, func() bool { return len(b.lines()) == 1 }, time.Minute, 10*time.Millisecond)
	require.WithinDuration(t, time.Now(), b.lines()[0].Time, time.Minute, "a line without a time gets the present one")
}

func TestManyWritersOfOneLogLeaveNoGap(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const writers, each = 4, 1500
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { // a reader that has seen n never misses a smaller one
		var seen int64
		for ctx.Err() == nil {
			lines, err := b.reader.Lines(ctx, b.id, seen, 10_000)
			for _, l := range lines {
				if seen++; l.Seq != seen {
					t.Errorf("line %d follows %d", l.Seq, seen-1)
					return
				}
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	var writing sync.WaitGroup
	for i := range writers {
		w := b.writer()
		writing.Go(func() {
			for n := range each {
				w.Append(b.id, line(fmt.Sprintf("%d:%d", i, n)))
			}
			if err := w.Flush(t.Context(), b.id); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	cancel()
	reading.Wait()
	b.requireGapless(writers * each)
	next := map[string]int{}
	for _, text := range b.texts() {
		writer, n, _ := strings.Cut(text, ":")
		require.Equal(t, fmt.Sprint(next[writer]), n, "a writer's lines keep their order")
		next[writer]++
	}
}

func TestLinesAreCutAndCleaned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.Append(b.id, line("bad \xff byte"), line("nul \x00 byte"), line("two\r\nlines\r\n"), line("\x1b[31mred\x1b[0m"),
		line(long(16<<10)), line(strings.Repeat("ä", 10<<10)))
	require.NoError(t, w.Flush(t.Context(), b.id))
	texts := b.texts()
	require.Equal(t, []string{"bad \uFFFD byte", "nul \uFFFD byte", "two", "lines", "\x1b[31mred\x1b[0m", long(16 << 10)}, texts[:6])
	cut := texts[6]
	require.LessOrEqual(t, len(cut), 16<<10)
	require.True(t, utf8.ValidString(cut))
	require.True(t, strings.HasSuffix(cut, "ä … [slipway: line cut, it had 20480 bytes]"), cut[len(cut)-60:])
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.SetSecrets(b.id, []string{
		"hunter2", "hunter2-longer", "abc", "", "-----BEGIN KEY-----\nMIIEvQ==\n--\n-----END KEY-----\n", `say "hi" & go`, "overlap-one", "one-and-two",
	})
	spanning := long(16<<10-3) + "hunter2"
	w.Append(b.id, line("password=hunter2!"), line("hunter2-longer"), line("abc"), line("got MIIEvQ== here"),
		line("-----BEGIN KEY-----"), line("--"), line("-----END KEY-----"), line("a -----BEGIN KEY-----\nMIIEvQ==\n--\n-----END KEY----- b"), line(`{"v":"say \"hi\" & go"}`), line("say+%22hi%22+%26+go"),
		line("overlap-one-and-two"), line(spanning), line("hunter2hunter2"), line("hun\x00ter2"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	texts := b.texts()
	require.Equal(t, []string{"password=***!", "***", "abc", "got *** here"}, texts[:4])
	require.Equal(t, []string{"***", "--", "***", "a *** b"}, texts[4:8])
	require.Equal(t, []string{`{"v":"***"}`, "***", "***"}, texts[8:11])
	require.Equal(t, long(16<<10-3)+"***", texts[11])
	require.Equal(t, []string{"******", "hun\uFFFDter2"}, texts[12:])

	require.Equal(t, "a *** b", w.Redact(b.id, "a hunter2 b"))
	require.Equal(t, "a hunter2 b", w.Redact("another deployment", "a hunter2 b"))
}

// As curl, JavaScript, Python, base64 and whoever escapes everything write it.
func TestSecretsAreHiddenInOtherForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	const value = `it's 100%+ "se/cret"~!`
	w.SetSecrets(b.id, []string{value})
	var all strings.Builder
	for _, c := range []byte(value) {
		fmt.Fprintf(&all, "%%%02x", c)
	}
	for _, written := range []string{
		url.QueryEscape(value), url.PathEscape(value), all.String(), strings.ToUpper(all.String()),
		`it's%20100%25%2B%20%22se%2Fcret%22~!`, `it%27s%20100%25%2B%20%22se/cret%22~%21`, `it%27s+100%25%2B+%22se%2Fcret%22%7E%21`,
		base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(value+"\n")), "="),
	} {
		hidden := strings.TrimRight(w.Redact(b.id, "a "+written+" b%"), "=")
		require.Equal(t, "a *** b%", strings.ReplaceAll(hidden, "=", ""), written)
	}
	require.Equal(t, "100% of 1+1 %zz %2", w.Redact(b.id, "100% of 1+1 %zz %2"))
}

func TestSecretsAddUpUntilForget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.SetSecrets(b.id, []string{"before", "stays"})
	w.SetSecrets(b.id, []string{"after", "stays"})
	w.SetSecrets(b.id, nil)
	w.Append(b.id, line("before after stays"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	require.Equal(t, []string{"*** *** ***"}, b.texts())
	require.Equal(t, "*** ***", w.Redact(b.id, "after before"))
	w.Forget(b.id)
	w.SetSecrets(b.id, []string{"after"})
	require.Equal(t, "*** before", w.Redact(b.id, "after before"))
}

func TestForget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.SetSecrets(b.id, []string{"hunter2"})
	w.Append(b.id, line("a"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	w.Forget(b.id)
	require.Equal(t, "hunter2", w.Redact(b.id, "hunter2"))
	w.Append(b.id, line("b"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	b.requireGapless(2)
}

func TestLinesOutliveAnOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	w.Append(b.id, line("before"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	end := b.outage()
	w.Append(b.id, line("during"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, w.Flush(ctx, b.id), context.DeadlineExceeded)
	w.Append(b.id, line("still"))
	end()
	require.NoError(t, w.Flush(t.Context(), b.id))
	require.Equal(t, []string{"before", "during", "still"}, b.texts())
	b.requireGapless(3)
}

func TestALongOutageDropsTheOldestLinesAndSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	end := b.outage()
	const appended, kept = 60_000, 50_000
	for n := range appended {
		w.Append(b.id, line(fmt.Sprint(n)))
	}
	end()
	require.NoError(t, w.Flush(t.Context(), b.id))
	texts := b.texts()
	b.requireGapless(len(texts))
	require.Equal(t, fmt.Sprint(appended-1), texts[len(texts)-1])
	require.InDelta(t, kept, len(texts), 2_100, "what is kept, the batch that was under way, and the mark")
	marks := 0
	for i, text := range texts {
		if strings.Contains(text, "lines were lost here") {
			marks++
			lost := 0
			_, err := fmt.Sscan(text, &lost)
			require.NoError(t, err)
			require.Equal(t, appended-(len(texts)-1), lost)
			require.Equal(t, fmt.Sprint(i+lost), texts[i+1])
		}
	}
	require.Equal(t, 1, marks)
}

func TestALostAnswerToTheCommitDoublesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var cuts atomic.Int32
	config := b.pool.Config()
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &commitCutter{Conn: conn, left: &cuts}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w := b.writerOn(pool)
	for n := range 5 {
		cuts.Store(1)
		w.Append(b.id, line(fmt.Sprint(n)))
		require.NoError(t, w.Flush(t.Context(), b.id))
		require.Zero(t, cuts.Load(), "the connection was cut")
	}
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, b.texts())
	b.requireGapless(5)
}

// commitCutter lets a commit through to the server and breaks the connection in the place of its answer.
type commitCutter struct {
	net.Conn
	left *atomic.Int32
	cut  atomic.Bool
}

func (c *commitCutter) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if bytes.Contains(p, []byte("commit")) && c.left.Add(-1) >= 0 {
		c.cut.Store(true)
	}
	return n, err
}

func (c *commitCutter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.cut.Load() { // the server has answered, so the commit is done
		return 0, errors.Join(errors.New("connection reset"), c.Close())
	}
	return n, err
}

func TestADeploymentThatIsGoneHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.writer()
	for _, gone := range []string{"01890000-0000-7000-8000-000000000000", "no id at all"} {
		w.Append(gone, line("lost"))
		require.NoError(t, w.Flush(t.Context(), gone))
	}
	w.Append(b.id, line("kept"))
	require.NoError(t, w.Flush(t.Context(), b.id))
	b.requireGapless(1)
}

func TestCloseStoresWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := logs.NewWriter(b.pool, slog.New(slog.DiscardHandler))
	for n := range 3_000 {
		w.Append(b.id, line(fmt.Sprint(n)))
	}
	require.NoError(t, w.Close(t.Context()))
	b.requireGapless(3_000)
	require.NoError(t, w.Close(t.Context()))
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := logs.NewWriter(b.pool, slog.New(slog.DiscardHandler))
	end := b.outage()
	defer end()
	w.Append(b.id, line("a"), line("b"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, w.Close(ctx), "2 lines are not stored")
	require.Error(t, w.Flush(t.Context(), b.id))
}
