package api

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Store is the part of Postgres that the API needs. Answers of the kind "not as things stand" are the sentinels of
// package deployment (ErrNotFound, ErrNameTaken, ...).
type Store interface {
	CreateProject(ctx context.Context, p deployment.Project) (deployment.Project, error)
	// Project finds a project by id or by name; deleted ones are not found.
	Project(ctx context.Context, idOrName string) (deployment.Project, error)
	Projects(ctx context.Context, page Page) (items []deployment.Project, next string, err error)
	// UpdateProject replaces a project's settings; deployment.ErrConflict when they were changed since p was read.
	UpdateProject(ctx context.Context, p deployment.Project) (deployment.Project, error)
	// SetProductionBranch notes the remote's HEAD for a project whose production branch nobody chose.
	SetProductionBranch(ctx context.Context, projectID, branch string) error

	// Environment finds an environment by its name, EnvironmentByID by its id; deleted ones are not found.
	Environment(ctx context.Context, projectID, name string) (deployment.Environment, error)
	EnvironmentByID(ctx context.Context, id string) (deployment.Environment, error)
	Environments(ctx context.Context, projectID string, page Page) (items []deployment.Environment, next string, err error)
	// EnsureEnvironment returns a project's environment of that name and makes it if there is none.
	EnsureEnvironment(ctx context.Context, p deployment.Project, name string) (deployment.Environment, error)
	// SetOrderPolicy changes what a new deployment of an environment does with older ones. newest is the one of those that have
	// not ended which takes its place as the policy says from now on; it is empty when there is none.
	SetOrderPolicy(ctx context.Context, id string, policy deployment.OrderPolicy) (e deployment.Environment, newest deployment.Deployment, err error)

	// AddDomain stores a domain that leads nowhere until VerifyDomain; created is false for one that the environment has already, which
	// keeps its token. deployment.ErrDomainTaken when another environment has verified it.
	AddDomain(ctx context.Context, environmentID, name, token string) (d deployment.Domain, created bool, err error)
	Domain(ctx context.Context, environmentID, name string) (deployment.Domain, error)
	Domains(ctx context.Context, environmentID string, page Page) (items []deployment.Domain, next string, err error)
	// VerifyDomain makes a domain whose token was found in DNS lead to its environment; deployment.ErrDomainTaken as above.
	VerifyDomain(ctx context.Context, d deployment.Domain) (deployment.Domain, error)
	// DomainNotShown notes why a look at DNS did not verify a domain.
	DomainNotShown(ctx context.Context, environmentID, name, why string) error
	DeleteDomain(ctx context.Context, environmentID, name string) error

	// Delete hides a project or an environment, whose teardown is to start, and cancels what is under way in it.
	Delete(ctx context.Context, scope deployment.Scope) (deployment.Deletion, error)
	// Deletion returns what is left of something deleted; deployment.ErrNotFound once that is nothing.
	Deletion(ctx context.Context, id string) (deployment.Deletion, error)
	Deletions(ctx context.Context) ([]deployment.Deletion, error)

	// EnvVarNames returns the variables that a deploy to an environment sees, or those of a whole project, without their
	// values and sorted by name. The others change the scope's own.
	EnvVarNames(ctx context.Context, scope deployment.Scope) ([]deployment.EnvVar, error)
	ReplaceEnvVars(ctx context.Context, scope deployment.Scope, vars []deployment.EnvVar) error
	MergeEnvVars(ctx context.Context, scope deployment.Scope, vars []deployment.EnvVar) error
	DeleteEnvVar(ctx context.Context, scope deployment.Scope, name string) error

	// SetGitCredential makes c the project's only credential. Nothing here reads a secret back.
	SetGitCredential(ctx context.Context, projectID string, c deployment.GitCredential) error
	// DeleteGitCredential removes a project's credential; deployment.ErrNotFound when it has none.
	DeleteGitCredential(ctx context.Context, projectID string) error

	// CreateDeployment inserts a queued deployment, its environment too when it is new. With an idempotency key that the
	// project has seen, it returns that deployment as it stands and created=false, or deployment.ErrIdempotencyMismatch.
	CreateDeployment(ctx context.Context, n NewDeployment) (d deployment.Deployment, created bool, err error)
	Deployment(ctx context.Context, id string) (deployment.Deployment, error)
	Deployments(ctx context.Context, f DeploymentFilter, page Page) (items []deployment.Deployment, next string, err error)
	Steps(ctx context.Context, deploymentID string) ([]deployment.Step, error)
	// Receipt lists what cancels of a deployment undid.
	Receipt(ctx context.Context, deploymentID string) (deployment.Receipt, error)
	// RequestCancel moves a deployment to canceling, one that waits for its turn to canceled; deployment.ErrNotCancelable when it
	// has ended. A deployment that is canceling already is returned as it stands.
	RequestCancel(ctx context.Context, id string) (deployment.Deployment, error)
	// RequestRetry queues a deployment that failed or was canceled again, for one caller only; deployment.ErrNotRetryable or
	// deployment.ErrReplaced otherwise.
	RequestRetry(ctx context.Context, id string, maxOpen int) (deployment.Deployment, error)
	// CancelingFor lists the deployments whose workflows are to be canceled because the given one takes their place.
	CancelingFor(ctx context.Context, id string) ([]string, error)
	temporal.RetryRows // the second half of a retry

	// Preview returns the preview of a deployment; deployment.ErrNotFound when it has none.
	Preview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error)
	Previews(ctx context.Context, f deployment.PreviewFilter, page Page) (items []deployment.PreviewDetail, next string, err error)
	// StopPreview and the others below change the lease of a preview, and nothing when it is so already. Of a deployment that is not
	// the live one of its environment they answer deployment.ErrNotLive.
	StopPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error)
	StartPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error)
	PinPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error)
	UnpinPreview(ctx context.Context, deploymentID string) (deployment.PreviewDetail, error)
	// ExtendPreview answers deployment.ErrNoEnd or deployment.ErrPinned for one that does not expire.
	ExtendPreview(ctx context.Context, deploymentID string, until time.Time) (deployment.PreviewDetail, error)

	// TokenByHash returns the token with that SHA-256, expired ones too, deployment.ErrNotFound for none, and notes its use.
	TokenByHash(ctx context.Context, hash []byte) (deployment.Token, error)
	CreateToken(ctx context.Context, t deployment.Token, hash []byte) (deployment.Token, error)
	Tokens(ctx context.Context, page Page) (items []deployment.Token, next string, err error)
	// DeleteToken removes a token; deployment.ErrLastToken when none that does not expire would be left.
	DeleteToken(ctx context.Context, id string) error
	Ping(ctx context.Context) error
	// Schema reports whether the schema has what this process needs, as a deployment.Failure when it has not.
	Schema(ctx context.Context) error
}

// What the Store is asked with; the words are deployment's, so that the adapter need not import this package.
type (
	// Page asks for a part of a list.
	Page = deployment.Page
	// DeploymentFilter narrows a list of deployments.
	DeploymentFilter = deployment.DeploymentFilter
	// NewDeployment is a checked request for a deploy.
	NewDeployment = deployment.NewDeployment
)

// LogReader pages through and follows a deployment's log.
type LogReader interface {
	// Lines returns up to limit lines with seq > after, oldest first.
	Lines(ctx context.Context, deploymentID string, after int64, limit int) ([]deployment.LogLine, error)
	// Wait returns when the log may have grown beyond after or the deployment's status may have changed, at once when
	// whether it has ended is not as the caller knows, or after the timeout, or with the context's error.
	Wait(ctx context.Context, deploymentID string, after int64, ended bool, timeout time.Duration) error
}

// Deploys starts, retries and cancels deploy workflows (package temporal).
type Deploys interface {
	temporal.Starter
	// Cancel asks the workflow to cancel; found is false when no workflow was ever started or it has closed.
	Cancel(ctx context.Context, deploymentID string) (found bool, err error)
	Teardown(ctx context.Context, d deployment.Deletion) error
	Ping(ctx context.Context) error
}

// RepoGuard is what the API asks about a repository before anything is built.
type RepoGuard interface {
	// CheckURL checks a repository URL the way the fetch will: scheme, shape, and the addresses its host resolves to.
	CheckURL(ctx context.Context, raw string) *deployment.FieldError
	// DefaultBranch returns the branch that the remote's HEAD names, or a deployment.Failure, within seconds.
	DefaultBranch(ctx context.Context, repo deployment.Repository) (string, error)
	// CheckCredential checks a credential for a repository without asking its server. What it returns is bound to the
	// repository's host, with the defaults filled in.
	CheckCredential(repoURL string, c deployment.GitCredential) (deployment.GitCredential, []*deployment.FieldError)
}

// DNS is what the API asks about domains.
type DNS interface {
	// TXT returns the values of a name's TXT records, none when there are none.
	TXT(ctx context.Context, name string) ([]string, error)
}
