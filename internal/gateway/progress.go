package gateway

import (
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// progress is how far a deploy has come, in words that anybody may read: it holds nothing of the log, of the configuration or of the hosts.
type progress struct {
	Title      string              `json:"title"`
	Text       string              `json:"text"`
	Status     deployment.Status   `json:"deployment_status"`
	Step       deployment.StepName `json:"step,omitempty"`
	Phase      deployment.Phase    `json:"phase,omitempty"`
	Attempt    int                 `json:"attempt,omitempty"`
	Percent    int                 `json:"percent,omitempty"`
	WaitingFor string              `json:"waiting_for,omitempty"`
	Number     int                 `json:"number"`
	Steps      []progressStep      `json:"steps"`
}

type progressStep struct {
	Name  deployment.StepName `json:"name"`
	State string              `json:"state"` // done, now or next
}

func progressOf(r deployment.Route) progress {
	p := progress{Title: notLive(r).title, Status: r.Status, Step: step(r.Status), Number: r.DeploymentNumber}
	switch now := r.Step; {
	case r.Status == deployment.StatusReady:
		p.Step = deployment.StepRelease
	case now == nil && r.Status == deployment.StatusQueued:
		p.WaitingFor = "its turn"
	case now != nil:
		p.Step, p.Phase, p.Attempt, p.Percent, p.WaitingFor = now.Name, now.Phase, now.Attempt, now.Percent, now.WaitingFor
	}
	for _, name := range deployment.Steps() {
		state := "next"
		switch {
		case name.Number() < p.Step.Number():
			state = "done"
		case name == p.Step:
			state = "now"
		}
		p.Steps = append(p.Steps, progressStep{name, state})
	}
	p.Text = p.words()
	return p
}

// words are a line for people, such as "build, push: 40 %, attempt 2".
func (p *progress) words() string {
	text := string(p.Step)
	if p.Phase != deployment.PhaseNone {
		text += ", " + strings.ReplaceAll(string(p.Phase), "_", " ")
	}
	if p.WaitingFor != "" {
		return text + ": waits for " + p.WaitingFor
	}
	if p.Percent > 0 {
		text += fmt.Sprintf(": %d %%", p.Percent)
	}
	if p.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", p.Attempt)
	}
	return text
}
