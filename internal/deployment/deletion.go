package deployment

import "time"

// Scope is a project with all of its environments, or one of them alone.
type Scope struct {
	ProjectID     string
	EnvironmentID string // empty for the whole project
}

// ID is the id of what the scope is: the environment, or the project.
func (s Scope) ID() string {
	if s.EnvironmentID != "" {
		return s.EnvironmentID
	}
	return s.ProjectID
}

// Deletion is a project or an environment that is gone for whoever asks for it, while what it owned is still being
// removed. It ends with the last row.
type Deletion struct {
	Scope
	ProjectName string
	Name        string // of what was deleted
	RequestedAt time.Time
	Left        []LeftOver
}

// LeftOver is one thing that keeps a deletion from its end: a deployment that has not ended, or a row of the ledger.
type LeftOver struct {
	Kind         string // LeftOverDeployment, or a ResourceKind
	Name         string
	Host         string // empty for what no host holds
	HostSeenAt   *time.Time
	DeploymentID string
	Number       int // of the deployment
}

// LeftOverDeployment is the kind of a deployment that has not ended.
const LeftOverDeployment = "deployment"
