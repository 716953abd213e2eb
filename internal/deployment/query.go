package deployment

// Page asks for a part of a list. Cursor is opaque: what the last answer gave as next, empty for the first page;
// ErrInvalidCursor for any other.
type Page struct {
	Limit  int
	Cursor string
}

// DeploymentFilter narrows a list of deployments; empty fields do not narrow.
type DeploymentFilter struct {
	ProjectID     string
	EnvironmentID string
	Environment   string // its name
	Status        Status
}

// NewDeployment is a checked request for a deploy.
type NewDeployment struct {
	Project        Project
	Environment    string // its name
	Ref            Ref
	Force          bool // build without the builder's cache
	IdempotencyKey string
	RequestDigest  []byte // of what was asked; tells a repeat from another request under the same key
	MaxOpen        int    // deployments of all projects that have not ended, from which on this one is refused; 0 for no bound
	Reuse          *Reuse // nil: build an image
}

// Reuse says whose image a new deployment runs, instead of building one.
type Reuse struct {
	From string // a deployment's id; empty: the one that was live in the environment before what is live now
}
