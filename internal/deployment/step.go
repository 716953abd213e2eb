package deployment

import "time"

// StepName is what people see of an activity.
type StepName string

// The steps of a deploy in their order.
const (
	StepResolve StepName = "resolve"
	StepFetch   StepName = "fetch"
	StepPlan    StepName = "plan"
	StepBuild   StepName = "build"
	StepRelease StepName = "release"
)

// Steps lists the steps in the order in which a deploy takes them.
func Steps() []StepName {
	return []StepName{StepResolve, StepFetch, StepPlan, StepBuild, StepRelease}
}

// Number returns the step's place among Steps, counted from 1, and 0 for an unknown name.
func (n StepName) Number() int {
	for i, step := range Steps() {
		if step == n {
			return i + 1
		}
	}
	return 0
}

// Status returns the deployment status that stands while the step runs.
func (n StepName) Status() Status {
	switch n {
	case StepFetch:
		return StatusFetching
	case StepPlan:
		return StatusPlanning
	case StepBuild:
		return StatusBuilding
	case StepRelease:
		return StatusReleasing
	default:
		return StatusQueued
	}
}

// Phase is a part of a step: solve and push of build; pull, release_command, start, probe, switch and drain of release.
type Phase string

// The phases; a step that has none uses PhaseNone.
const (
	PhaseNone           Phase = ""
	PhaseSolve          Phase = "solve"
	PhasePush           Phase = "push"
	PhasePull           Phase = "pull"
	PhaseReleaseCommand Phase = "release_command" // what the project runs once in the new image
	PhaseStart          Phase = "start"
	PhaseProbe          Phase = "probe"
	PhaseSwitch         Phase = "switch"
	PhaseDrain          Phase = "drain"
)

// StepStatus says how one attempt at a step (or phase) stands.
type StepStatus string

// The statuses of a step.
const (
	StepRunning   StepStatus = "running"
	StepSucceeded StepStatus = "succeeded"
	StepReused    StepStatus = "reused"
	StepFailed    StepStatus = "failed"
	StepCanceled  StepStatus = "canceled"
	StepLost      StepStatus = "lost" // the attempt's worker died; a later attempt or run took over
)

// Step is one attempt at a step, or at a phase of it.
type Step struct {
	Name       StepName   `json:"name"`
	Phase      Phase      `json:"phase,omitempty"`
	Attempt    int        `json:"attempt"`
	RunID      string     `json:"run_id"`
	Host       string     `json:"host,omitempty"`
	Status     StepStatus `json:"status"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Failure    *Failure   `json:"failure,omitempty"`
}

// StepAttempt identifies one attempt at a step, or at a phase of it.
type StepAttempt struct {
	DeploymentID string
	RunID        string
	Step         StepName
	Phase        Phase
	Activity     string // of Temporal; a run that does the step once more, as on another host, does it in another one
	Attempt      int
	Host         string
}

// Progress is what a running step reports about itself: small, the latest wins.
type Progress struct {
	Phase   Phase `json:"phase,omitempty"`
	Percent int   `json:"percent,omitempty"` // 0–100 of the step; 0 also when it cannot be told
	Done    int   `json:"done,omitempty"`    // finished units of Total: BuildKit vertices, image layers
	Total   int   `json:"total,omitempty"`
	Bytes   int64 `json:"bytes,omitempty"` // bytes pushed or pulled
}

// StepNow is the step that a deployment is in, as the API shows it.
type StepNow struct {
	Name          StepName   `json:"name"`
	Attempt       int        `json:"attempt"`
	WaitingFor    string     `json:"waiting_for,omitempty"` // what a step that is not running waits for, in words
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
	QueuePosition int        `json:"queue_position,omitempty"` // an estimate, from 1
	Progress
}
