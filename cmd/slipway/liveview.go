package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/api/client"
)

// redrawEvery is how often the live line is drawn again, so that its seconds move.
const redrawEvery = 200 * time.Millisecond

// liveView shows finished steps as lines and the running one as a line at the bottom that is redrawn in place.
type liveView struct {
	c    *cli
	logs bool
	stop func()

	mu      sync.Mutex
	state   client.DeploymentStatus
	step    *client.CurrentStep
	since   time.Time // when the step's attempt was first seen
	began   time.Time
	drawn   bool // the cursor stands on the live line
	over    bool
	spinner int
}

var frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

func newLiveView(c *cli, logs bool) *liveView {
	return &liveView{c: c, logs: logs, began: c.now(), stop: func() {}}
}

// begin shows the heading and starts to redraw.
func (v *liveView) begin(d client.Deployment) {
	v.permanent(fmt.Sprintf("%s to %s", name(d), clean(d.Environment.Name)))
	ticker, done := time.NewTicker(redrawEvery), make(chan struct{})
	v.stop = func() { ticker.Stop(); close(done) }
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				v.tick()
			}
		}
	}()
}

func (v *liveView) line(l client.LogLine) {
	if v.logs {
		v.permanent(v.c.logText(l))
	}
}

func (v *liveView) notice(text string) { v.permanent(paint(v.c.coloured(), yellow, text)) }

// permanent writes a line that stays, above the live line.
func (v *liveView) permanent(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.write(text)
}

func (v *liveView) status(s client.StatusEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = s.Status
	if s.Step == nil {
		if !over(s.Status) { // the end of the last step is told by finish, which knows how it ended
			v.draw()
		}
		return
	}
	if v.step == nil || v.step.Name != s.Step.Name || v.step.Attempt != s.Step.Attempt {
		v.leave(*s.Step)
		v.since = v.c.now()
	}
	v.step = s.Step
	v.draw()
}

// leave writes how the step ended that next comes after.
func (v *liveView) leave(next client.CurrentStep) {
	switch {
	case v.step == nil:
	case v.step.Name == next.Name: // another attempt
		v.mark(red, "✗", fmt.Sprintf("attempt %d", v.step.Attempt))
	case stepOfAll(*v.step) > stepOfAll(next): // begins again, e.g. on another host
		v.mark(yellow, "↻", "begins again")
	default:
		v.mark(green, "✓", "")
	}
}

// mark writes the line of a step that has ended.
func (v *liveView) mark(with colour, sign, remark string) {
	text := fmt.Sprintf("%s %-8s %s", paint(v.c.coloured(), with, sign), v.step.Name, took(v.c.now().Sub(v.since)))
	if remark != "" {
		text += "  " + remark
	}
	v.write(text)
}

// finish writes the last step's end and gives the terminal back.
func (v *liveView) finish(status client.DeploymentStatus) {
	v.stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	v.erase()
	if v.step == nil || status == "" {
		return
	}
	if status == client.DeploymentStatusReady {
		v.mark(green, "✓", "")
	} else {
		v.mark(statusColour(string(status)), "✗", string(status))
	}
}

// tick redraws the live line with the next frame of the spinner.
func (v *liveView) tick() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over {
		v.spinner++
		v.draw()
	}
}

// write puts a line where the live line stands and draws that again below.
func (v *liveView) write(text string) {
	v.erase()
	_ = v.c.line("%s", text)
	if !v.over && v.state != "" {
		v.draw()
	}
}

func (v *liveView) erase() {
	if v.drawn {
		_, _ = fmt.Fprint(v.c.stdout, "\r\x1b[K")
		v.drawn = false
	}
}

// draw writes the live line, cut to the terminal's width: a line that wraps could not be erased.
func (v *liveView) draw() {
	text := v.liveText()
	if runes, room := []rune(text), v.c.screen.width()-1; len(runes) > room {
		text = string(runes[:max(room, 0)])
	}
	_, _ = fmt.Fprint(v.c.stdout, "\r\x1b[K"+text)
	v.drawn = true
}

func (v *liveView) liveText() string {
	now, frame := v.c.now(), frames[v.spinner%len(frames)]
	if v.step == nil {
		return fmt.Sprintf("%s %s  %s", frame, v.state, took(now.Sub(v.began)))
	}
	parts := []string{fmt.Sprintf("%s %s %s", frame, stepOfAll(*v.step), v.step.Name)}
	if v.state == client.DeploymentStatusCanceling {
		parts = append(parts, string(v.state))
	}
	return strings.Join(append(parts, progressWords(*v.step, now.Sub(v.since), now)...), "  ")
}
