package activities

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// What the activities need of the world, each interface as small as the need. cmd/ wires the adapters in.

// Store is the part of Postgres that the steps read and write. Writes name the run that makes them; a write of a run
// that is not the row's current one answers deployment.ErrStaleRun.
type Store interface {
	Deployment(ctx context.Context, id string) (deployment.Deployment, error)
	Project(ctx context.Context, idOrName string) (deployment.Project, error)
	// EnvVars returns the variables that a deploy to an environment sees, with their values and sorted by name.
	EnvVars(ctx context.Context, scope deployment.Scope) ([]deployment.EnvVar, error)
	// GitCredential returns a project's credential with its secret, nil for none.
	GitCredential(ctx context.Context, projectID string) (*deployment.GitCredential, error)

	// BeginRun makes runID, which is the workflow's current run, the deployment's too, and queues a deployment that failed or
	// was canceled again. seen is the run that the row named before; deployment.ErrConflict when it names another by now,
	// deployment.ErrEnded when the deployment is not begun again.
	BeginRun(ctx context.Context, deploymentID, seen, runID string) error
	// SetCommit stores what the ref was resolved to, unless a commit is stored already.
	SetCommit(ctx context.Context, deploymentID, runID, commit, branch string) error
	SetProductionBranch(ctx context.Context, projectID, branch string) error
	SetPlan(ctx context.Context, deploymentID, runID string, p deployment.Planned) error
	// AddWarning adds a warning to those of the plan, unless the deployment has one of its code.
	AddWarning(ctx context.Context, deploymentID, runID string, w deployment.Warning) error
	// PlanBefore returns the plan of the newest deployment of the same environment that became ready before this one was made, nil
	// for none.
	PlanBefore(ctx context.Context, deploymentID string) (*deployment.Plan, error)
	// BaseRuns reports whether a preview that is to run, of whichever project, stands on a base image.
	BaseRuns(ctx context.Context, base string) (bool, error)
	// Twin finds the newest other deployment whose image was built from the same commit for the same environment, from a plan
	// that every build host would make again; deployment.ErrNotFound when there is none.
	Twin(ctx context.Context, deploymentID, planInput string) (deployment.Deployment, error)
	// TakeOver gives a deployment its twin's plan and image; deployment.ErrImageRemoved when that was given up meanwhile.
	TakeOver(ctx context.Context, deploymentID, runID string, twin deployment.Deployment) error
	// ImageBefore returns the newest deployment of the same environment that became ready before this one was made and whose image
	// was not given up, nil for none.
	ImageBefore(ctx context.Context, deploymentID string) (*deployment.Deployment, error)
	// SetImage stores the image, and its build's figures; without them, those of the same image stay.
	SetImage(ctx context.Context, deploymentID, runID string, built deployment.BuiltImage) error

	// SwitchRoute makes p the live preview of its deployment's environment and the deployment ready, in one transaction.
	// It answers deployment.ErrSuperseded when a newer generation is live, deployment.ErrCancelRequested when a cancel came
	// first, deployment.ErrStaleRun when another run took over; replaced are the previews that lost the route.
	SwitchRoute(ctx context.Context, runID string, p deployment.Preview) (replaced []deployment.Preview, err error)
	// SetPreview stores how a container stands before the switch; it changes nothing once its deployment is ready.
	SetPreview(ctx context.Context, runID string, p deployment.Preview) error
	// ReleaseCommand returns how far a run has come with the release command.
	ReleaseCommand(ctx context.Context, deploymentID, runID string) (deployment.CommandState, error)
	// BeginReleaseCommand notes that the command is about to be started and returns how far the run had come before;
	// deployment.ErrCancelRequested when a cancel came first.
	BeginReleaseCommand(ctx context.Context, deploymentID, runID string) (before deployment.CommandState, err error)
	// EndReleaseCommand notes that the command has ended well.
	EndReleaseCommand(ctx context.Context, deploymentID, runID string) error
	// ReplacedPreviews lists the previews of a ready deployment's environment that lost the route and still run.
	ReplacedPreviews(ctx context.Context, deploymentID string) ([]deployment.Preview, error)
	// ReplacedFor returns how long ago another deployment took the route from this one; of one that lost it otherwise, forever.
	ReplacedFor(ctx context.Context, deploymentID string) (time.Duration, error)
	SetPreviewState(ctx context.Context, deploymentID string, state deployment.PreviewState) error

	// Finish ends a deployment as outcome, unless it has ended already, and returns its status as it stands then.
	// An environment's newer cancel request turns failed into canceled.
	Finish(ctx context.Context, deploymentID, runID string, outcome deployment.Status, f *deployment.Failure) (deployment.Status, error)
	// Receipt lists what the cancels of a deployment undid.
	Receipt(ctx context.Context, deploymentID string) (deployment.Receipt, error)
}

// Runs is what Temporal knows of a deployment's workflow.
type Runs interface {
	// CurrentRun returns the newest run and whether it goes on; no run when there is none.
	CurrentRun(ctx context.Context, deploymentID string) (runID string, open bool, err error)
}

// Ledger is the ownership ledger: Own before making a thing, Disown after it is verified gone.
type Ledger interface {
	Own(ctx context.Context, r deployment.Resource) error
	// Lease owns a build slot; *deployment.ProjectFullError when the deployment's project holds most already, 0 for no bound.
	Lease(ctx context.Context, r deployment.Resource, most int) error
	// Disown leaves the row of another run when r names one.
	Disown(ctx context.Context, r deployment.Resource) error
	// Gone disowns a thing that was looked for and not found, and writes it into the receipt of a cancel that is under way.
	// took is how long its removal took, the look included.
	Gone(ctx context.Context, r deployment.Resource, took time.Duration) error
	// SolveEnded writes into the receipt that the builder runs a solve no more.
	SolveEnded(ctx context.Context, a StepAttempt, ref string, took time.Duration) error
	// Owned lists what a deployment owns on a host ("" for every host) of the given kinds (none for all).
	Owned(ctx context.Context, deploymentID, host string, kinds ...deployment.ResourceKind) ([]deployment.Resource, error)
	// OwnedIn lists the same for all deployments of a scope, sorted by kind.
	OwnedIn(ctx context.Context, scope deployment.Scope, host string, kinds ...deployment.ResourceKind) ([]deployment.Resource, error)
	// DeploymentIDs lists the deployments of a scope, of a deleted one too.
	DeploymentIDs(ctx context.Context, scope deployment.Scope) ([]string, error)
}

// StepAttempt identifies one attempt at a step, or at a phase of it.
type StepAttempt = deployment.StepAttempt

// StepRecorder is what the recording interceptor writes: rows of steps and, with them, the deployment's status. All its
// methods drop writes of a run that is not current and answer deployment.ErrStaleRun.
type StepRecorder interface {
	// AttemptNumber returns the number under which people see an attempt: a step that the run does once more, as on another
	// host, goes on counting.
	AttemptNumber(ctx context.Context, a StepAttempt) (int, error)
	// StepStarted inserts the attempt as running, marks older running attempts of the same run lost, sets the deployment's
	// status to the step's and its current step.
	StepStarted(ctx context.Context, a StepAttempt, at time.Time) error
	// StepEnded ends the attempt's running row, whichever phase it is in. next is when the next attempt starts, nil for none.
	StepEnded(ctx context.Context, a StepAttempt, status deployment.StepStatus, f *deployment.Failure, next *time.Time, at time.Time) error
	// AwaitSlot shows that the deployment waits for a build slot since the attempt has ended.
	AwaitSlot(ctx context.Context, a StepAttempt) error
	// StepPhase ends the attempt's running row and starts one for a.Phase.
	StepPhase(ctx context.Context, a StepAttempt, at time.Time) error
	// StepProgress updates the deployment's current step.
	StepProgress(ctx context.Context, a StepAttempt, p deployment.Progress) error
	// Canceling moves the deployment to canceling when it is not ended.
	Canceling(ctx context.Context, deploymentID, runID string) error
}

// LogWriter appends lines to a deployment's log. Append buffers and returns at once; Flush waits until they are stored.
type LogWriter interface {
	Append(deploymentID string, lines ...deployment.LogLine)
	Flush(ctx context.Context, deploymentID string) error
	// SetSecrets names the values that are never written for the deployment, in this process, from now on.
	SetSecrets(deploymentID string, values []string)
	// Redact replaces those values in a text that goes elsewhere.
	Redact(deploymentID, text string) string
	// Forget lets go of those values once nothing more is appended.
	Forget(deploymentID string)
	// Cursor returns how far the output of a container is stored.
	Cursor(ctx context.Context, deploymentID, container string) (deployment.OutputCursor, error)
}

// Git resolves refs and fetches commits.
type Git interface {
	// Resolve turns a ref into a full commit. branch is the branch that was meant (the remote's HEAD for RefDefault), empty
	// for a tag or commit.
	Resolve(ctx context.Context, repo deployment.Repository, ref deployment.Ref) (commit, branch string, err error)
	// Fetch checks commit out into dir, which does not exist or is empty, and gives dir itself the commit's time. ref helps
	// servers that hand out no bare commits.
	Fetch(ctx context.Context, repo deployment.Repository, commit string, ref deployment.Ref, dir string, line func(string)) error
}

// Planner turns a checkout into a plan and the Dockerfile that is built.
type Planner interface {
	Plan(ctx context.Context, checkout string, p deployment.Project, secretNames []string) (plan *deployment.Plan, dockerfile string, err error)
}

// The words of a build live with the domain, because the builder's adapter uses them too.
type (
	BuildRequest = deployment.BuildRequest
	BuildOutcome = deployment.BuildOutcome
	BuildSink    = deployment.BuildSink
)

// Builder solves and pushes, on one of several builders that are known by their addresses.
type Builder interface {
	// Choose returns the builder for the next build of a project; done has to be called when that has ended.
	Choose(ctx context.Context, projectID string) (address string, done func(), err error)
	// Home returns the builder that most builds of a project go to, for what goes with one of them and counts as none.
	Home(projectID string) (address string)
	Solve(ctx context.Context, address string, r BuildRequest, sink BuildSink) (BuildOutcome, error)
	// Lookup returns the digest of a solve that finished and pushed without error, "" when there is none. A solve that is
	// still running is waited for within the context's deadline. An address that is not known any more knows of none.
	Lookup(ctx context.Context, address, ref string) (digest string, err error)
}

// ImageStore looks into the registry that Builder pushes to.
type ImageStore interface {
	// Digest returns what host/repository:tag or host/repository@digest points to, "" when it is not there.
	Digest(ctx context.Context, image string) (string, error)
	// Delete removes an image; one that is not there is not an error.
	Delete(ctx context.Context, image string) error
	// Tags lists the tags of a repository, without its name; none when it is not there.
	Tags(ctx context.Context, repository string) ([]string, error)
	// Layers returns the layers of an image, none when it is not there.
	Layers(ctx context.Context, image string) ([]deployment.Layer, error)
}

// RunSpec and ProbeSpec live among the domain words, because adapters import nothing of activities.
type (
	RunSpec   = deployment.RunSpec
	ProbeSpec = deployment.ProbeSpec
)

// Engine runs previews in Docker.
type Engine interface {
	Pull(ctx context.Context, image string, progress func(deployment.Progress)) error
	// Start makes the network and the container and starts it; what already stands as specified is kept.
	Start(ctx context.Context, s RunSpec) (deployment.Preview, error)
	// RunOnce runs the spec's command to its end in a container that stands afterwards; who calls again waits for the same one, and
	// is told how it ended. A command that fails is a user failure with the last lines of its output.
	RunOnce(ctx context.Context, s RunSpec, o deployment.Once) error
	// NetworkName returns the name of the network that Start makes for a deployment, for the ledger's row before it.
	NetworkName(deploymentID string) string
	// Probe waits until the preview answers as the check wants. A container that exits, or does not answer within the
	// check's timeout, is a user failure with the last lines of its output. It returns where the preview has answered.
	Probe(ctx context.Context, p deployment.Preview, s ProbeSpec, line func(string)) (address string, err error)
	// Prepare makes what Start needs besides the image, as far as that can be done now; what it could not do, Start does and reports.
	Prepare(ctx context.Context, s RunSpec)
	// KeepAlive lets the engine restart the container when it crashes, and bounds it by its own resources. Start leaves the first off,
	// so that Probe sees a crash, and may give it more while it starts.
	KeepAlive(ctx context.Context, container string, r deployment.Resources) error
	// Logs copies the container's output after from (nil for all of it) and what follows, until ctx ends or the container has
	// ended.
	Logs(ctx context.Context, container string, from deployment.OutputCursor, line func(deployment.OutputLine)) error
	// Halt stops a container within the grace period and keeps it; one that is not there, or stands still, is not an error.
	Halt(ctx context.Context, container string, grace time.Duration) error
	// Wake starts a container that stands still, where it was; one that is not there is reported so. It may use more than its
	// resources until KeepAlive.
	Wake(ctx context.Context, container string, r deployment.Resources) (there bool, err error)
	// Secrets returns the values in a container's environment that must never be logged.
	Secrets(ctx context.Context, container string) ([]string, error)
	// Stop stops a container within the grace period and removes it; one that is not there is not an error.
	Stop(ctx context.Context, container string, grace time.Duration) error
	// RemoveNetwork removes a network; one that is not there is not an error.
	RemoveNetwork(ctx context.Context, name string) error
	// Owned lists the containers and networks of this installation, by their labels.
	Owned(ctx context.Context) ([]deployment.Resource, error)
	// BaseImages lists the base images that were pulled ahead of an image upon them, each with its deployment.
	BaseImages(ctx context.Context) ([]deployment.Resource, error)
	// UnusedImages lists the images that were pulled for previews and that no container runs, as "host/repository@sha256:…".
	UnusedImages(ctx context.Context) ([]string, error)
	// RemoveImage removes a pulled image; one that is not there, or that a container runs, is not an error.
	RemoveImage(ctx context.Context, image string) error
}

// Meter counts what is worth watching.
type Meter interface {
	// QueueWaited notes how long a deployment waited for a build slot.
	QueueWaited(d time.Duration)
	// StepEnded notes how an attempt at a step ended; class is empty unless it failed.
	StepEnded(step deployment.StepName, outcome deployment.StepStatus, class deployment.Class, took time.Duration)
	PhaseEnded(step deployment.StepName, phase deployment.Phase, took time.Duration)
}

// Hosts knows which hosts run previews.
type Hosts interface {
	// PreviewHost returns the id of a preview host that was seen lately and has the fewest previews.
	PreviewHost(ctx context.Context) (string, error)
}
