package logs_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
)

// bounded returns a writer that keeps logs within most bytes.
func (b bench) bounded(most int64) *logs.Writer {
	b.t.Helper()
	w := logs.NewWriterWith(b.pool, slog.New(slog.DiscardHandler), logs.Options{MaxBytes: most})
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.Close(ctx); err != nil {
			b.t.Error(err)
		}
	})
	return w
}

// numbered appends the lines "from" to "to-1", each padded to 100 bytes, and waits until they are stored.
func (b bench) numbered(w *logs.Writer, from, to int) {
	b.t.Helper()
	for n := from; n < to; n++ {
		w.Append(b.id, line(fmt.Sprintf("%-100d", n)))
	}
	require.NoError(b.t, w.Flush(b.t.Context(), b.id))
}

// whole checks that numbers follow one another but for one marked cut, and returns that; nil for none.
func whole(lines []deployment.LogLine, after int64) (cut *deployment.LogCut, err error) {
	for _, l := range lines {
		switch {
		case l.Cut == nil && l.Seq != after+1:
			return nil, fmt.Errorf("line %d follows %d without a mark", l.Seq, after)
		case l.Cut != nil && (cut != nil || l.Cut.To != l.Seq || l.Cut.From > after+1 || l.Stream != deployment.StreamSlipway):
			return nil, fmt.Errorf("a wrong mark after %d: %+v, %+v", after, l, *l.Cut)
		case l.Cut != nil:
			cut = l.Cut
		}
		after = l.Seq
	}
	return cut, nil
}

// requireBounded checks the whole log: its numbers, and that it takes no more than most.
func (b bench) requireBounded(most int) (lines []deployment.LogLine, cut *deployment.LogCut) {
	b.t.Helper()
	lines = b.lines()
	cut, err := whole(lines, 0)
	require.NoError(b.t, err)
	size := 0
	for _, l := range lines {
		if l.Cut == nil {
			size += len(l.Text) + 100
		}
	}
	require.LessOrEqual(b.t, size, most)
	return lines, cut
}

func TestALogIsCutInTheMiddle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most = 200 * 200 // bytes: 200 lines
	w := b.bounded(most)
	b.numbered(w, 0, 200)
	b.requireGapless(200)

	b.numbered(w, 200, 201)
	lines, cut := b.requireBounded(most)
	require.Equal(t, deployment.LogCut{From: 101, To: 108, Lines: 8, Bytes: 800}, *cut, "a sixteenth more than it must")
	require.Len(t, lines, 100+1+93)
	require.Equal(t, "99", strings.TrimSpace(lines[99].Text))
	require.Equal(t, "… 8 lines (0.0 MiB), numbers 101 to 108, are not kept: this log has its first and its newest lines, 0.03815 MiB in all …", lines[100].Text)
	require.Equal(t, deployment.StepBuild, lines[100].Step)
	require.Equal(t, "108", strings.TrimSpace(lines[101].Text))
	require.Equal(t, "200", strings.TrimSpace(lines[len(lines)-1].Text))
}

func TestCutsMergeIntoOneOverRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most, rounds, each = 200 * 200, 40, 50 // ten times the bound
	for round := range rounds {
		b.numbered(b.bounded(most), round*each, (round+1)*each) // a writer of its own, as after a restart
		b.requireBounded(most)
	}
	lines, cut := b.requireBounded(most)
	require.EqualValues(t, 101, cut.From)
	require.Equal(t, cut.To-cut.From+1, cut.Lines, "every number that is gone is one line")
	require.Equal(t, cut.Lines*100, cut.Bytes)
	require.Equal(t, fmt.Sprint(rounds*each-1), strings.TrimSpace(lines[len(lines)-1].Text))
	require.EqualValues(t, rounds*each, lines[len(lines)-1].Seq)
	require.Greater(t, len(lines), 150, "no more went than had to")
}

func TestTheBoundHoldsWhateverIsWritten(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]func(n int) string{
		"empty lines": func(int) string { return "" },
		"long lines":  func(int) string { return long(16 << 10) },
		"lines of all lengths": func(n int) string {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			return long(r.IntN(1 << r.IntN(15)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			const most = 1 << 20
			w := b.bounded(most)
			written := 0
			for n := 0; written < 10*most; n++ {
				text := text(n)
				written += len(text) + 100
				w.Append(b.id, line(text))
				if n%5000 == 0 {
					require.NoError(t, w.Flush(t.Context(), b.id))
					b.requireBounded(most)
				}
			}
			require.NoError(t, w.Flush(t.Context(), b.id))
			lines, cut := b.requireBounded(most)
			require.NotNil(t, cut)
			require.Nil(t, lines[len(lines)-1].Cut, "the newest line is there")
		})
	}
}

func TestReadersMeetTheCutWhereverTheyStand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most = 200 * 200
	w := b.bounded(most)
	b.numbered(w, 0, 1000)
	_, cut := b.requireBounded(most)
	from := func(after int64) (first deployment.LogLine) {
		lines, err := b.reader.Lines(t.Context(), b.id, after, 1000)
		require.NoError(t, err)
		_, err = whole(lines, after)
		require.NoError(t, err)
		require.EqualValues(t, 1000, lines[len(lines)-1].Seq)
		return lines[0]
	}
	require.EqualValues(t, 51, from(50).Seq, "before it: the rest of the first lines, then the mark")
	require.Equal(t, cut, from(100).Cut, "at its beginning")
	require.Equal(t, cut, from(cut.To-1).Cut, "inside: lines that were read before they went")
	after := from(cut.To)
	require.Nil(t, after.Cut, "past it nothing is said of it")
	require.Equal(t, cut.To+1, after.Seq)

	page, err := b.reader.Lines(t.Context(), b.id, 100, 1)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Equal(t, cut, page[0].Cut, "a page may end with the mark")
}

func TestFollowersGoOverTheCutWhileTwoHostsWrite(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most, each = 200 * 200, 2000
	var writing, reading sync.WaitGroup
	for range 2 {
		w := b.bounded(most)
		writing.Go(func() {
			for n := range each {
				w.Append(b.id, line(fmt.Sprintf("%-100d", n)))
				if n%20 == 0 {
					if err := w.Flush(t.Context(), b.id); err != nil {
						t.Error(err)
					}
				}
			}
			if err := w.Flush(t.Context(), b.id); err != nil {
				t.Error(err)
			}
		})
	}
	for _, page := range []int{10, 500} { // one that is left behind again and again, and one that keeps up
		reading.Go(func() {
			for seen := int64(0); seen < 2*each; {
				if err := b.reader.Wait(t.Context(), b.id, seen, false, time.Second); err != nil {
					t.Error(err)
					return
				}
				lines, err := b.reader.Lines(t.Context(), b.id, seen, page)
				if err == nil {
					_, err = whole(lines, seen)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if len(lines) > 0 {
					seen = lines[len(lines)-1].Seq
				}
			}
		})
	}
	writing.Wait()
	reading.Wait()
	b.requireBounded(most)
}

func TestOutputOfAnAppIsCutToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most = 200 * 200
	w := b.bounded(most)
	w.Append(b.id, line("of the build"))
	for from := 0; from < 2000; from += 100 {
		w.Append(b.id, output(deployment.StreamStdout, from, 100)...)
		w.Append(b.id, output(deployment.StreamStdout, from, 100)...) // of a second follower
		require.NoError(t, w.Flush(t.Context(), b.id))
	}
	lines, cut := b.requireBounded(most)
	require.Equal(t, "of the build", lines[0].Text)
	require.Equal(t, "stdout 1999", lines[len(lines)-1].Text)
	require.EqualValues(t, deployment.StepApp, lines[cut.From-1].Step)
	require.EqualValues(t, 2001, lines[len(lines)-1].Seq)
	w.Append(b.id, output(deployment.StreamStdout, 0, 2000)...)
	require.NoError(t, w.Flush(t.Context(), b.id))
	require.Equal(t, lines, b.lines(), "what is not kept is not read again either")
}

func TestWhatIsHiddenStaysHiddenInACutLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most = 200 * 200
	w := b.bounded(most)
	w.SetSecrets(b.id, []string{"hunter2"})
	for range 1000 {
		w.Append(b.id, line("password hunter2 "+long(80)))
	}
	require.NoError(t, w.Flush(t.Context(), b.id))
	lines, cut := b.requireBounded(most)
	require.NotNil(t, cut)
	for _, l := range lines {
		if l.Cut == nil {
			require.Equal(t, "password *** "+long(80), l.Text)
		}
	}
}

func TestALowerBoundIsReachedStepByStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.bounded(100 << 20)
	for range 40_000 {
		w.Append(b.id, line("x"))
	}
	require.NoError(t, w.Flush(t.Context(), b.id))
	const most = 20_000
	_, err := b.pool.Exec(t.Context(), "UPDATE log_heads SET head_to = 10, head_bytes = 1010, tail_bytes = 39990 * 101 WHERE deployment_id = $1", b.id)
	require.NoError(t, err)
	w = b.bounded(most)
	b.numbered(w, 0, 1)
	_, cut := b.requireBounded(16_000 * 101)
	require.EqualValues(t, 25_000, cut.Lines, "not more in one transaction")
	b.numbered(w, 1, 2)
	b.requireBounded(most)
}

func TestLinesOfAnOlderSlipwayAreCutToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const most = 200 * 200
	b.numbered(b.bounded(most), 0, 90)
	const old = 250 * 103 // what an older process beside this one writes, which counts nothing: the log is longer by that
	for range 5 {
		_, err := b.pool.Exec(t.Context(), `WITH h AS (UPDATE log_heads SET seq = seq + 50 WHERE deployment_id = $1 RETURNING seq)
			INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text)
			SELECT $1, h.seq - 50 + n, now(), 'build', 1, 'stdout', 'old' FROM h, generate_series(1, 50) n`, b.id)
		require.NoError(t, err)
	}
	b.numbered(b.bounded(most), 90, 500)
	lines, cut := b.requireBounded(most + old)
	require.EqualValues(t, 91, cut.From)
	require.Equal(t, "499", strings.TrimSpace(lines[len(lines)-1].Text))
}
