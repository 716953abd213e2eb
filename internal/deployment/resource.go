package deployment

import "time"

// ResourceKind names what a row of the ownership ledger stands for. The row is written before the thing is made, so a
// crash between the two leaves a row without a thing (harmless), never a thing without a row.
type ResourceKind string

// The kinds of resources that outlive an activity.
const (
	ResourceLease     ResourceKind = "lease"      // a build slot of a host
	ResourceWorkspace ResourceKind = "workspace"  // a checkout on a build host
	ResourceImageTag  ResourceKind = "image_tag"  // the tag that a build attempt pushes
	ResourceCacheTag  ResourceKind = "cache_tag"  // the tag that the steps of a build are kept under, for other builders
	ResourceBaseImage ResourceKind = "base_image" // what a preview host has pulled before there was an image upon it
	ResourceContainer ResourceKind = "container"
	ResourceNetwork   ResourceKind = "network"
)

// Resource is one row of the ownership ledger.
type Resource struct {
	Kind         ResourceKind
	Name         string // unique per kind and host
	Host         string // host id; empty for what no host holds
	DeploymentID string
	RunID        string
	Made         time.Time // when the thing was made, as its host says; zero in a row
}

// PreviewStates lists every state of a preview.
func PreviewStates() []PreviewState {
	return []PreviewState{PreviewStarting, PreviewLive, PreviewAsleep, PreviewStopped, PreviewFailed}
}

// PreviewState says how a deployment's container stands.
type PreviewState string

// The states of a preview.
const (
	PreviewStarting PreviewState = "starting"
	PreviewLive     PreviewState = "live"
	PreviewAsleep   PreviewState = "asleep"
	PreviewStopped  PreviewState = "stopped"
	PreviewFailed   PreviewState = "failed"
)

// Preview is the running container of a deployment and the address where the gateway reaches it.
type Preview struct {
	DeploymentID string
	Host         string // host id of the Docker engine
	ContainerID  string
	Container    string // its name
	Network      string
	Address      string // ip:port on the container's network
	State        PreviewState

	DiskUnbounded bool // the engine cannot keep the bound on what it writes; told by a start alone
}

// Route is what a host name leads to, as the gateway needs it.
type Route struct {
	Hostname         string
	DeploymentID     string
	DeploymentNumber int
	Project          string
	EnvironmentID    string
	Environment      string
	Status           Status
	State            PreviewState  // empty when no container was ever started
	Address          string        // empty unless State is live
	Step             *StepNow      // nil before the first one and after the end
	Failure          *Failure      // of the deployment, or why it could not be started again
	LiveFor          time.Duration // since its deployment became ready; of what is live
	ReplacedBy       int           // number of the deployment that took over, 0 when none did
	Stable           bool          // the environment's name rather than a deployment's own
	Since            time.Time     // it is in State; zero for what Routes lists
	Wanted           Wanted        // of what is live in the environment, likewise below
	NextStartAt      *time.Time    // when one that did not come up is tried again by itself; nil: it is not
	ExpiredAt        *time.Time    // nil unless its time is over
}
