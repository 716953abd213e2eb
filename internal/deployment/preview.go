package deployment

import "time"

// RunSpec is a preview container to start.
type RunSpec struct {
	DeploymentID, ProjectID, EnvironmentID string
	RunID                                  string   // the workflow run that starts it
	Name                                   string   // container name, deterministic per deployment and run
	Image                                  string   // host/repository@digest, as the Docker engine pulls it
	Env                                    []string // NAME=value, in the order they are set
	SecretEnv                              []string // names of those in Env whose values are never logged
	Port                                   int
	Resources                              Resources
}

// ProbeSpec says when a preview counts as healthy.
type ProbeSpec struct {
	Check    HealthCheck
	Host     string        // Host header of the request, the preview's own host name; empty for localhost
	Interval time.Duration // between two tries; 0 for the engine's default

	OtherPort bool // an app that listens on one other port than PORT is asked there
}
