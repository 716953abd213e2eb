package temporal

import (
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Inputs name things by reference. Settings, env vars and secrets are loaded from Postgres by the activity that needs
// them, so that a history stays small and holds no secret.

// DeployInput starts a Deploy workflow.
type DeployInput struct {
	DeploymentID string `json:"deployment_id"`
	Project      string `json:"project"`     // its name: the key by which projects take turns for build slots
	Environment  string `json:"environment"` // for people who look at the history, and so are the next three
	Repository   string `json:"repository,omitempty"`
	Ref          string `json:"ref,omitempty"`
	Number       int    `json:"number,omitempty"` // of the deployment in its project
	Limits       Limits `json:"limits"`
}

// Limits bound the activities of a workflow. They travel in the input, so that a replay sees the values that the run was
// started with, whatever the configuration says by then; a lease, which may be kept for ever, has them from each look.
type Limits struct {
	Line            time.Duration `json:"line"`    // the wait for a build slot
	Deploy          time.Duration `json:"deploy"`  // the whole deploy from then on
	Resolve         time.Duration `json:"resolve"` // one attempt, likewise below
	Fetch           time.Duration `json:"fetch"`
	Plan            time.Duration `json:"plan"`
	Build           time.Duration `json:"build"`   // the project's build_timeout_seconds; passing it is a user failure
	Release         time.Duration `json:"release"` // pull, start and switch, on top of the health check's and the release command's timeouts
	Drain           time.Duration `json:"drain"`
	CleanUp         time.Duration `json:"clean_up"`
	Short           time.Duration `json:"short"`             // activities that only talk to Postgres
	Heartbeat       time.Duration `json:"heartbeat"`         // silence after which an attempt's worker counts as dead
	ScheduleToStart time.Duration `json:"schedule_to_start"` // wait on a host's own queue after which the host counts as gone
	RetryInitial    time.Duration `json:"retry_initial"`
	RetryMaximum    time.Duration `json:"retry_maximum"`
	Attempts        int32         `json:"attempts"` // of an activity that fails with class transient or platform
	Hosts           int           `json:"hosts"`    // build or preview hosts tried before giving up
}

// DefaultLimits returns the limits of production.
func DefaultLimits() Limits {
	return Limits{
		Line: 24 * time.Hour, Deploy: 2 * time.Hour, Resolve: time.Minute, Fetch: 10 * time.Minute, Plan: 2 * time.Minute,
		Build: 30 * time.Minute, Release: 10 * time.Minute, Drain: 2 * time.Minute, CleanUp: 2 * time.Minute,
		Short: 10 * time.Second, Heartbeat: 15 * time.Second, ScheduleToStart: time.Minute,
		RetryInitial: time.Second, RetryMaximum: 30 * time.Second, Attempts: 8, Hosts: 3,
	}
}

// DeployResult is what a Deploy workflow that reached ready returns.
type DeployResult struct {
	PreviewURL  string `json:"preview_url"`
	Commit      string `json:"commit"`
	ImageDigest string `json:"image_digest"`
}

// StepInput names the deployment that an activity works for.
type StepInput struct {
	DeploymentID string `json:"deployment_id"`
}

// ResolveResult is the commit that every later step and retry builds.
type ResolveResult struct {
	Commit string      `json:"commit"`
	Branch string      `json:"branch,omitempty"`
	Reused bool        `json:"reused,omitempty"`
	Built  BuildResult `json:"built,omitzero"` // the image, when there is one already: nothing is left to build
}

// WasReused reports whether the ref was resolved before.
func (r ResolveResult) WasReused() bool { return r.Reused }

// AwaitsSlot reports whether a build slot is what the deploy needs next.
func (r ResolveResult) AwaitsSlot() bool { return r.Built.Digest == "" }

// ClaimResult names the build host that holds a slot for the deployment and the queue that only it serves.
type ClaimResult struct {
	HostID string `json:"host_id"`
	Queue  string `json:"queue"`
}

// CommitInput is the input of the steps that need the checked-out commit.
type CommitInput struct {
	DeploymentID string `json:"deployment_id"`
	Commit       string `json:"commit"`
}

// PlanResult identifies the stored plan.
type PlanResult struct {
	PlanDigest string `json:"plan_digest"`
	Builder    string `json:"builder"`
	Reused     bool   `json:"reused,omitempty"`
	NewBase    bool   `json:"new_base,omitempty"` // no preview stands on the plan's base image: a host pulls it while the build runs
}

// WasReused reports whether the plan was made before.
func (r PlanResult) WasReused() bool { return r.Reused }

// BuildInput is the input of BuildImage.
type BuildInput struct {
	DeploymentID string `json:"deployment_id"`
	Commit       string `json:"commit"`
	PlanDigest   string `json:"plan_digest"`
}

// BuildResult is the image that was built and pushed.
type BuildResult struct {
	Image  string `json:"image"` // repository name, no tag
	Digest string `json:"digest"`
	Reused bool   `json:"reused,omitempty"`

	CachedOn string `json:"cached_on,omitempty"` // builder that has steps to be kept in the registry, once the deployment is ready
}

// WasReused reports whether an image that was built before is used again.
func (r BuildResult) WasReused() bool { return r.Reused }

// PlaceResult names the preview host that will run the container.
type PlaceResult struct {
	HostID string `json:"host_id"`
	Queue  string `json:"queue"`
}

// ReleaseInput is the input of ReleasePreview.
type ReleaseInput struct {
	DeploymentID string `json:"deployment_id"`
	Image        string `json:"image"`
	Digest       string `json:"digest"`
}

// ReleaseResult says where the preview is and which previews it replaced, with the queue of the host that runs each.
type ReleaseResult struct {
	PreviewURL string     `json:"preview_url"`
	Replaced   []Replaced `json:"replaced,omitempty"`
}

// Replaced is a preview that lost its route and is to be drained and stopped.
type Replaced struct {
	DeploymentID string `json:"deployment_id"`
	Queue        string `json:"queue"`
}

// CleanUpInput asks a host to remove what a deployment left on it.
type CleanUpInput struct {
	DeploymentID string `json:"deployment_id"`
	Canceled     bool   `json:"canceled,omitempty"` // shows the deployment as canceling meanwhile

	KeepWorkspace bool `json:"keep_workspace,omitempty"` // the checkout is needed for longer than the slot
}

// ExportInput is the input of ExportCache.
type ExportInput struct {
	DeploymentID string `json:"deployment_id"`
	Commit       string `json:"commit"`
	Builder      string `json:"builder"` // address of the one that has built the image
}

// ExportResult says where the steps of a build are kept.
type ExportResult struct {
	Tag     string `json:"tag,omitempty"`
	Skipped string `json:"skipped,omitempty"` // why they are not
}

// CloseInput ends a deployment that did not become ready.
type CloseInput struct {
	DeploymentID string              `json:"deployment_id"`
	Outcome      deployment.Status   `json:"outcome"` // failed, canceled or superseded
	Failure      *deployment.Failure `json:"failure,omitempty"`
}

// CloseResult says how the deployment really ended: a cancel that came too late leaves it ready.
type CloseResult struct {
	Outcome  deployment.Status  `json:"outcome"`
	RunID    string             `json:"run_id"`
	Replaced []Replaced         `json:"replaced,omitempty"` // when it is ready after all: what is still to be drained
	Receipt  deployment.Receipt `json:"receipt,omitempty"`  // when it was canceled, by somebody or by a newer deployment: what was undone
}

// TeardownInput starts a Teardown workflow; it is its activities' input too.
type TeardownInput struct {
	ProjectID     string `json:"project_id"`
	EnvironmentID string `json:"environment_id,omitempty"` // empty for the whole project
	Limits        Limits `json:"limits"`
}

// Scope says what is torn down.
func (in TeardownInput) Scope() deployment.Scope {
	return deployment.Scope{ProjectID: in.ProjectID, EnvironmentID: in.EnvironmentID}
}

// TeardownPlan lists the hosts that are to be cleared, by their own queues.
type TeardownPlan struct {
	Previews []string `json:"previews,omitempty"`
	Builds   []string `json:"builds,omitempty"`
}

// LeaseInput starts a Lease workflow.
type LeaseInput struct {
	EnvironmentID string `json:"environment_id"`
	Limits        Limits `json:"limits"`
}

// LookInput is the input of LookAtLease.
type LookInput struct {
	EnvironmentID string `json:"environment_id"`
}

// LeaseLook is what a look at a lease has found. Times are those of Postgres' clock.
type LeaseLook struct {
	Gone bool `json:"gone,omitempty"` // the environment, or what was live in it

	Act   deployment.LeaseAct `json:"act,omitempty"`   // that is due; empty for none
	Why   string              `json:"why,omitempty"`   // it is, or what is waited for
	After time.Duration       `json:"after,omitempty"` // something may be due; 0 for never

	Project      string                  `json:"project,omitempty"`
	Environment  string                  `json:"environment,omitempty"`
	Number       int                     `json:"number,omitempty"`
	DeploymentID string                  `json:"deployment_id,omitempty"`
	State        deployment.PreviewState `json:"state,omitempty"`
	Wanted       deployment.Wanted       `json:"wanted,omitempty"`
	Pinned       bool                    `json:"pinned,omitempty"`
	ExpiresAt    *time.Time              `json:"expires_at,omitempty"`
	IdleSince    time.Time               `json:"idle_since,omitzero"`
	HostID       string                  `json:"host_id,omitempty"`
	HostLives    bool                    `json:"host_lives,omitempty"`
	Health       time.Duration           `json:"health,omitempty"` // how long the project's health check may take
	Failure      *deployment.Failure     `json:"failure,omitempty"`

	Limits Limits `json:"limits,omitzero"` // that hold from now on, unless it is gone
}

// LeaseResult says whether an act has done what it was for. What has changed meanwhile is looked at again.
type LeaseResult struct {
	Done    bool                `json:"done,omitempty"`
	Failure *deployment.Failure `json:"failure,omitempty"` // why the app did not come up, which is no fault of the platform's
}

// ReconcileInput starts a Reconcile workflow; it is its activities' input too.
type ReconcileInput struct {
	Limits Limits `json:"limits"`
	List   bool   `json:"list,omitempty"`    // name every difference, and ask the hosts too: for a person who waits
	DryRun bool   `json:"dry_run,omitempty"` // name them and repair none
}

// Named reports whether differences are to be named.
func (in ReconcileInput) Named() bool { return in.List || in.DryRun }

// MaxDifferences bounds how many differences a result names: it has to fit into a history.
const MaxDifferences = 500

// ReconcileResult counts what a pass repaired, and names what it found when it was asked to.
type ReconcileResult struct {
	Started  int `json:"started"`
	Retried  int `json:"retried"` // retries that were asked for and not made
	Moved    int `json:"moved"`   // deployments that a newer run of their workflow has taken over
	Canceled int `json:"canceled"`
	Closed   int `json:"closed"`
	Torn     int `json:"torn"`
	Images   int `json:"images,omitempty"` // tags that were deleted from the registry
	Tags     int `json:"tags,omitempty"`   // rows of tags that were written, or given up, as the registry has them
	Swept    int `json:"swept,omitempty"`  // things of hosts that were removed, or written into the ledger

	Terminated int `json:"terminated,omitempty"` // workflows that no deployment needs
	Leases     int `json:"leases,omitempty"`     // of previews that nobody kept

	Logs        int `json:"logs,omitempty"` // that were removed after their retention, likewise below
	Deployments int `json:"deployments,omitempty"`

	Differences []deployment.Difference `json:"differences,omitempty"`
	More        int                     `json:"more,omitempty"` // differences beyond MaxDifferences
}

// Name adds a difference.
func (r *ReconcileResult) Name(d deployment.Difference) {
	if len(r.Differences) < MaxDifferences {
		r.Differences = append(r.Differences, d)
	} else {
		r.More++
	}
}

// Add adds what another part of the pass has found.
func (r *ReconcileResult) Add(part ReconcileResult) {
	r.Started += part.Started
	r.Retried += part.Retried
	r.Moved += part.Moved
	r.Canceled += part.Canceled
	r.Closed += part.Closed
	r.Terminated += part.Terminated
	r.Leases += part.Leases
	r.Torn += part.Torn
	r.Images += part.Images
	r.Tags += part.Tags
	r.Swept += part.Swept
	r.Logs += part.Logs
	r.Deployments += part.Deployments
	r.More += part.More
	for _, d := range part.Differences {
		r.Name(d)
	}
}
