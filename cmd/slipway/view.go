package main

import (
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
)

// view shows a deployment that is being followed.
type view interface {
	sink
	begin(client.Deployment)
	finish(client.DeploymentStatus) // the last call; "" when the deployment goes on unseen
}

// newView picks the way to show a deployment: one JSON object a line, a live progress line, or plain lines.
func (c *cli) newView(logs bool) view {
	switch {
	case c.json():
		return &jsonView{c: c, logs: logs}
	case c.screen.stdout:
		return newLiveView(c, logs)
	default:
		return &plainView{c: c, logs: logs}
	}
}

// jsonView prints the API's objects.
type jsonView struct {
	c    *cli
	logs bool
}

func (v *jsonView) begin(d client.Deployment) { _ = v.c.printLine(d) }
func (v *jsonView) line(l client.LogLine) {
	if v.logs {
		_ = v.c.printLine(l)
	}
}
func (v *jsonView) status(s client.StatusEvent)    { _ = v.c.printLine(s) }
func (v *jsonView) notice(text string)             { v.c.say("%s", text) }
func (v *jsonView) finish(client.DeploymentStatus) {}

// plainView prints one line for each change of the step: for pipes and CI logs.
type plainView struct {
	c     *cli
	logs  bool
	shown string
}

func (v *plainView) begin(d client.Deployment) {
	_ = v.c.line("%s accepted for %s, id %s", name(d), d.Environment.Name, d.ID)
}

func (v *plainView) line(l client.LogLine) {
	if v.logs {
		_ = v.c.printLog(l)
	}
}

func (v *plainView) status(s client.StatusEvent) {
	now := string(s.Status)
	if s.Step != nil {
		now = v.c.stepWords(*s.Step)
	}
	if over(s.Status) || now == v.shown { // the end is said by who follows
		return
	}
	v.shown = now
	_ = v.c.line("%s", now)
}

func (v *plainView) notice(text string)             { v.c.say("%s", text) }
func (v *plainView) finish(client.DeploymentStatus) {}

// stepWords says which step is on, "[4/5] build: push, attempt 2", and what it waits for: "waiting for the registry, next at
// 12:00:05", or "waiting for deployment #4 of this environment, place 2 in the queue".
func (c *cli) stepWords(s client.CurrentStep) string {
	said := fmt.Sprintf("[%s] %s", stepOfAll(s), s.Name)
	if s.Phase != nil {
		said += ": " + *s.Phase
	}
	if s.Attempt > 1 || s.NextAttemptAt != nil {
		said += fmt.Sprintf(", attempt %d", s.Attempt)
	}
	if s.WaitingFor != nil {
		said += ", waiting for " + clean(*s.WaitingFor)
	}
	if s.QueuePosition != nil {
		said += ", " + placeWords(*s.QueuePosition)
	}
	if s.NextAttemptAt != nil {
		said += ", next at " + s.NextAttemptAt.In(c.location).Format(clock)
	}
	return said
}

func placeWords(position int) string { return fmt.Sprintf("place %d in the queue", position) }

// stepOfAll is the step's place among all: "4/5".
func stepOfAll(s client.CurrentStep) string {
	return fmt.Sprintf("%d/%d", words.StepName(s.Name).Number(), len(words.Steps()))
}

// progressWords lists what is known about a running step: "solve", "42%", "12/31", "attempt 2", "35s", "18.2 MB pushed".
func progressWords(s client.CurrentStep, running time.Duration, now time.Time) []string {
	var said []string
	if s.Phase != nil {
		said = append(said, *s.Phase)
	}
	if s.Percent != nil && *s.Percent > 0 {
		said = append(said, fmt.Sprintf("%d%%", *s.Percent))
	}
	if s.Total > 0 {
		said = append(said, fmt.Sprintf("%d/%d", s.Done, s.Total))
	}
	if s.Attempt > 1 {
		said = append(said, fmt.Sprintf("attempt %d", s.Attempt))
	}
	said = append(said, took(running))
	if s.Bytes > 0 {
		direction := "pulled"
		if s.Name == client.StepNameBuild {
			direction = "pushed"
		}
		said = append(said, fmt.Sprintf("%.1f MB %s", float64(s.Bytes)/1e6, direction))
	}
	if s.WaitingFor != nil {
		said = append(said, "waiting for "+clean(*s.WaitingFor))
	}
	if s.QueuePosition != nil {
		said = append(said, placeWords(*s.QueuePosition))
	}
	if s.NextAttemptAt != nil && s.NextAttemptAt.After(now) {
		said = append(said, "next attempt in "+took(s.NextAttemptAt.Sub(now)))
	}
	return said
}
