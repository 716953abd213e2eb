package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// terminal plays what is written to it onto a screen: enough of one for carriage return and erase to the end of the line.
func terminal(written string) []string {
	lines := []string{""}
	for _, piece := range strings.SplitAfter(strings.ReplaceAll(written, "\r\x1b[K", "\r"), "\n") {
		text, ended := strings.CutSuffix(piece, "\n")
		if i := strings.LastIndex(text, "\r"); i >= 0 {
			lines[len(lines)-1], text = "", text[i+1:]
		}
		lines[len(lines)-1] += text
		if ended {
			lines = append(lines, "")
		}
	}
	return lines
}

func TestStepWords(t *testing.T) {
	t.Parallel()
	turn := client.CurrentStep{Name: "resolve", Attempt: 1, WaitingFor: new("deployment #4 of this environment"), QueuePosition: new(2)}
	c := &cli{location: time.UTC}
	require.Equal(t, "[1/5] resolve, waiting for deployment #4 of this environment, place 2 in the queue", c.stepWords(turn))
}

func TestLiveView(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := noon
	c := newCLI(strings.NewReader(""), &out, &out, func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] })
	width := 100
	c.now, c.location, c.screen.stdout, c.screen.width = func() time.Time { return now }, time.UTC, true, func() int { return width }
	v := newLiveView(c, true)
	at := func(d time.Duration, do func(), want ...string) {
		t.Helper()
		now = noon.Add(d)
		do()
		require.Equal(t, want, terminal(out.String()), "after %s", d)
	}
	status := func(s client.DeploymentStatus, step *client.CurrentStep) func() {
		return func() { v.status(client.StatusEvent{Status: s, Step: step}) }
	}

	at(0, status("queued", nil), "⠋ queued  0.0s")
	at(time.Second, status("queued", &client.CurrentStep{Name: "resolve", Attempt: 1}), "⠋ 1/5 resolve  0.0s")
	at(3*time.Second, status("fetching", &client.CurrentStep{Name: "fetch", Attempt: 1}), "✓ resolve  2.0s", "⠋ 2/5 fetch  0.0s")
	waiting := client.CurrentStep{Name: "fetch", Attempt: 1, WaitingFor: new("a build host"), QueuePosition: new(2)}
	at(4*time.Second, status("fetching", &waiting), "✓ resolve  2.0s", "⠋ 2/5 fetch  1.0s  waiting for a build host  place 2 in the queue")
	solve := client.CurrentStep{Name: "build", Phase: new("solve"), Attempt: 1, Percent: new(42), Done: 12, Total: 31}
	at(5*time.Second, status("building", &solve), "✓ resolve  2.0s", "✓ fetch    2.0s", "⠋ 4/5 build  solve  42%  12/31  0.0s")
	at(6*time.Second, v.tick, "✓ resolve  2.0s", "✓ fetch    2.0s", "⠙ 4/5 build  solve  42%  12/31  1.0s")
	at(7*time.Second, func() { v.line(client.LogLine{Time: noon, Step: "build", Text: "\x1b[32mok\x1b[0m\x1b[2J"}) },
		"✓ resolve  2.0s", "✓ fetch    2.0s", "12:00:00 build    ok", "⠙ 4/5 build  solve  42%  12/31  2.0s")
	push := client.CurrentStep{Name: "build", Phase: new("push"), Attempt: 1, Bytes: 18_240_000}
	at(75*time.Second, status("building", &push),
		"✓ resolve  2.0s", "✓ fetch    2.0s", "12:00:00 build    ok", "⠙ 4/5 build  push  1m10s  18.2 MB pushed")
	out.Reset()
	width = 20
	at(76*time.Second, v.tick, "⠹ 4/5 build  push  ")
	width = 100
	retry := client.CurrentStep{Name: "build", Phase: new("solve"), Attempt: 2, NextAttemptAt: new(noon.Add(88 * time.Second))}
	at(80*time.Second, status("building", &retry),
		"✗ build    1m15s  attempt 1", "⠹ 4/5 build  solve  attempt 2  0.0s  next attempt in 8.0s")
	at(90*time.Second, status("fetching", &client.CurrentStep{Name: "fetch", Attempt: 1}),
		"✗ build    1m15s  attempt 1", "↻ build    10s  begins again", "⠹ 2/5 fetch  0.0s")
	at(91*time.Second, status("canceling", &client.CurrentStep{Name: "fetch", Attempt: 1}),
		"✗ build    1m15s  attempt 1", "↻ build    10s  begins again", "⠹ 2/5 fetch  canceling  1.0s")
	at(92*time.Second, func() { v.notice("connection lost") },
		"✗ build    1m15s  attempt 1", "↻ build    10s  begins again", "connection lost", "⠹ 2/5 fetch  canceling  2.0s")
	at(93*time.Second, func() { v.finish("canceled") },
		"✗ build    1m15s  attempt 1", "↻ build    10s  begins again", "connection lost", "✗ fetch    3.0s  canceled", "")
	at(94*time.Second, v.tick,
		"✗ build    1m15s  attempt 1", "↻ build    10s  begins again", "connection lost", "✗ fetch    3.0s  canceled", "")
}

func TestTablesAreAlignedWithAndWithoutColour(t *testing.T) {
	t.Parallel()
	for _, coloured := range []bool{false, true} {
		var out bytes.Buffer
		c := newCLI(strings.NewReader(""), &out, &out, func(string) string { return "" })
		c.screen.stdout = coloured
		table := newTable("NAME", "STATUS", "AGE")
		table.paint = 1
		table.add("a", "ready", "1s")
		table.add("longer", "superseded", "2s")
		require.NoError(t, c.printTable(table))
		require.Equal(t, coloured, strings.Contains(out.String(), "\x1b[32mready\x1b[0m"))
		require.Equal(t, "NAME    STATUS      AGE\na       ready       1s\nlonger  superseded  2s\n", escapes.ReplaceAllString(out.String(), ""))
	}
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 450 * time.Millisecond: "0.4s", 12400 * time.Millisecond: "12s", 185 * time.Second: "3m05s",
		127 * time.Minute: "2h07m", 72 * time.Hour: "3d",
	} {
		require.Equal(t, want, took(d))
	}
}
