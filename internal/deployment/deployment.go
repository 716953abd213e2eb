package deployment

import "time"

// RefKind says what a person named when they asked for a deploy.
type RefKind string

// The kinds of ref. RefDefault means that nothing was named: the production branch is meant.
const (
	RefDefault RefKind = ""
	RefBranch  RefKind = "branch"
	RefTag     RefKind = "tag"
	RefCommit  RefKind = "commit"
)

// Ref is what to build: a branch, a tag, or a commit (full, or a prefix of an advertised ref's commit).
type Ref struct {
	Kind RefKind `json:"kind,omitempty"`
	Name string  `json:"name,omitempty"`
}

// String returns the ref as people write it.
func (r Ref) String() string {
	if r.Kind == RefDefault {
		return "default branch"
	}
	return string(r.Kind) + " " + r.Name
}

// Deployment is one attempt to bring one commit live in one environment.
type Deployment struct {
	ID            string
	Number        int // rises per project, from 1
	ProjectID     string
	ProjectName   string
	EnvironmentID string
	Environment   string // its name
	Generation    int64  // rises per environment; a lower one never replaces a higher one
	Status        Status
	Ref           Ref
	Force         bool   // build without the builder's cache
	Branch        string // the branch that was built, empty for a tag or commit
	Commit        string // 40 hex digits once resolved
	WorkflowID    string
	RunID         string
	PreviewHost   string // <8 hex>-preview.<domain>, its own for ever
	EnvHost       string // the environment's stable host name
	Plan          *Plan
	Dockerfile    string
	Image         string        // repository name without tag or digest
	ImageDigest   string        // sha256:…
	PlanInput     string        // digest of what Plan was made from; empty in lists, likewise below
	ImageInput    string        // digest of what the image was built from
	Figures       *BuildFigures // of that build; nil when it was not this deployment's, or nobody saw its end
	Failure       *Failure
	Warnings      []Warning
	SupersededBy  string
	ReusedFrom    string   // the deployment whose image it runs
	BuildAgain    bool     // that image, if the registry has it no more: nothing is live instead; false in lists
	Step          *StepNow // nil before the first step, unless it waits for its turn, and after the end

	CreatedAt         time.Time
	AdmittedAt        *time.Time // when its turn in its environment came
	RetryRequestedAt  *time.Time // nil once the retry's run is made
	StartedAt         *time.Time
	ReadyAt           *time.Time
	FinishedAt        *time.Time
	CancelRequestedAt *time.Time
	ImageRemovedAt    *time.Time // since then the image counts as gone, wherever it may still be
	LogRemovedAt      *time.Time // nil while there is a log, or is to be one
}

// Scope is the environment that the deployment goes to.
func (d Deployment) Scope() Scope {
	return Scope{ProjectID: d.ProjectID, EnvironmentID: d.EnvironmentID}
}

// Waiting reports whether an earlier deployment of the environment has to end before this one begins.
func (d Deployment) Waiting() bool { return d.Status == StatusQueued && d.AdmittedAt == nil }

// Unknown reports whether Temporal has never heard of it: it waits for its turn, or ended while it did.
func (d Deployment) Unknown() bool { return d.AdmittedAt == nil && d.RunID == "" }

// Due reports whether its turn has come and nobody has made its run yet.
func (d Deployment) Due() bool {
	return d.Status == StatusQueued && d.AdmittedAt != nil && (d.RunID == "" || d.RetryRequestedAt != nil)
}

// EnvironmentKind says what an environment is for.
type EnvironmentKind string

// The kinds of environment, told from the name: "production", "branch/<name>", "pr/<n>".
const (
	KindProduction  EnvironmentKind = "production"
	KindBranch      EnvironmentKind = "branch"
	KindPullRequest EnvironmentKind = "pull_request"
)

// OrderPolicy says what a new deployment of an environment does with those that have not ended.
type OrderPolicy string

// The order policies: a newer deployment takes the place of older ones, or waits until they have ended.
const (
	OrderSupersede OrderPolicy = "supersede"
	OrderQueue     OrderPolicy = "queue"
)

// Environment is a place that a project is deployed to; at most one preview is live in it.
type Environment struct {
	ID               string
	ProjectID        string
	ProjectName      string
	Name             string
	Kind             EnvironmentKind
	Host             string // the stable host name
	Generation       int64  // of the newest deployment, 0 before the first
	LiveDeploymentID string
	LiveNumber       int // of the live deployment
	OrderPolicy      OrderPolicy
	CreatedAt        time.Time
}

// LogLine is one line of a deployment's log.
type LogLine struct {
	Seq     int64     `json:"seq"` // from 1, without gaps but for a cut, per deployment
	Time    time.Time `json:"time"`
	Step    StepName  `json:"step"`
	Attempt int       `json:"attempt"`
	Stream  string    `json:"stream"` // stdout, stderr or slipway
	Text    string    `json:"text"`

	// Container is set on a line that a preview's container printed; Time is then the engine's stamp. Such a line is stored
	// once, however often it is appended.
	Container string `json:"-"`

	// Cut is set on the line that stands where a log that became too long was cut.
	Cut *LogCut `json:"cut,omitempty"`
}

// LogCut is what is not kept of a log, between its first lines and its newest.
type LogCut struct {
	From  int64 `json:"from"` // the first number that is gone
	To    int64 `json:"to"`   // the last one, which is the number of the line that says so
	Lines int64 `json:"lines"`
	Bytes int64 `json:"bytes"` // of their texts
}

// The streams of a log line: what a command printed, and what slipway itself says.
const (
	StreamStdout  = "stdout"
	StreamStderr  = "stderr"
	StreamSlipway = "slipway"
)
