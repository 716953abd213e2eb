package deployment

import (
	"context"
	"time"
)

// RunSpec is a preview container to start.
type RunSpec struct {
	DeploymentID, ProjectID, EnvironmentID string
	RunID                                  string   // the workflow run that starts it
	Name                                   string   // container name, deterministic per deployment and run
	Image                                  string   // host/repository@digest, as the Docker engine pulls it
	Command                                []string // instead of the image's ENTRYPOINT and CMD; empty for those
	Env                                    []string // NAME=value, in the order they are set
	SecretEnv                              []string // names of those in Env whose values are never logged
	Port                                   int
	Resources                              Resources

	// Host names that a proxy on the preview host may lead to the container past the gateway; empty when the gateway alone may, as to what
	// sleeps when the gateway sees no requests.
	PreviewHost, EnvironmentHost string
	Number                       int // of the deployment
}

// ProbeSpec says when a preview counts as healthy.
type ProbeSpec struct {
	Check    HealthCheck
	Host     string        // Host header of the request, the preview's own host name; empty for localhost
	Interval time.Duration // between two tries; 0 for the engine's default

	OtherPort bool // an app that listens on one other port than PORT is asked there
}

// Once says how a container that runs to its end is run.
type Once struct {
	Limit time.Duration // from its start; then it is stopped
	Grace time.Duration // from SIGTERM to SIGKILL
	// Begin is called when the container has been made and before it is started, by the one of several callers that made it. An
	// error of it takes the container away again.
	Begin func(ctx context.Context) error
	Line  func(OutputLine) // gets its output, all of it each time; called by one goroutine at a time
}
