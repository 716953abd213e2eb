package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// newDeployment turns what was asked for into what the store inserts: a ref, and the environment that it goes to.
func (s *server) newDeployment(ctx context.Context, p deployment.Project, body oapi.DeploymentCreate, key string) (NewDeployment, error) {
	asked, err := refOf(body)
	if err == nil && asked.Kind == deployment.RefBranch && value(body.Environment) == "" && p.ProductionBranch == "" {
		p, err = s.askProductionBranch(ctx, p)
	}
	if err != nil {
		return NewDeployment{}, err
	}
	environment, err := environmentOf(p, asked, value(body.Environment))
	if err != nil {
		return NewDeployment{}, err
	}
	digest, err := requestDigest(p.ID, asked, value(body.Environment), value(body.Force))
	if err != nil {
		return NewDeployment{}, err
	}
	ref := asked
	if ref.Kind == deployment.RefDefault && p.ProductionBranch != "" {
		ref = deployment.Ref{Kind: deployment.RefBranch, Name: p.ProductionBranch}
	}
	return NewDeployment{
		Project: p, Environment: environment, Ref: ref, Force: value(body.Force), IdempotencyKey: key, RequestDigest: digest,
		MaxOpen: s.MaxQueued,
	}, nil
}

// askProductionBranch asks the remote for its HEAD and stores it: without it nobody can tell whether a branch is
// production's. A private repository does not tell: credentials are for the step that fetches. It returns the project as
// it stands then, since somebody may have chosen a branch meanwhile.
func (s *server) askProductionBranch(ctx context.Context, p deployment.Project) (deployment.Project, error) {
	branch, err := s.Guard.DefaultBranch(ctx, deployment.Repository{URL: p.RepoURL})
	if err != nil {
		return p, remoteProblem(p, deployment.AsFailure(err))
	}
	if err := s.Store.SetProductionBranch(ctx, p.ID, branch); err != nil {
		return p, err
	}
	return s.Store.Project(ctx, p.ID)
}

// remoteProblem is the answer when a remote did not tell its HEAD.
func remoteProblem(p deployment.Project, f *deployment.Failure) error {
	if f.Class == deployment.ClassUser && p.GitCredential != nil {
		return fieldProblem(fault("environment", "is missing, and the production branch of this private repository is not known before its first deploy",
			"name the environment, set the project's production_branch, or deploy without a branch first"))
	}
	if f.Class == deployment.ClassUser {
		return fieldProblem(fault("repo_url", "does not tell its production branch: "+f.Message, f.Fix))
	}
	return &problemError{
		status: http.StatusServiceUnavailable, code: "repository_unreachable", field: "repo_url",
		detail: "the project's production branch is not known yet, and the repository cannot be asked: " + f.Message,
		fix:    "name the environment, or try again",
	}
}

func refOf(body oapi.DeploymentCreate) (deployment.Ref, error) {
	var ref deployment.Ref
	for _, given := range []struct {
		kind deployment.RefKind
		name *string
	}{{deployment.RefBranch, body.Branch}, {deployment.RefTag, body.Tag}, {deployment.RefCommit, body.Commit}} {
		if given.name == nil {
			continue
		}
		if ref.Kind != deployment.RefDefault {
			return ref, fieldProblem(fault(string(given.kind), "is given together with "+string(ref.Kind),
				"give one of branch, tag and commit, or none for the production branch"))
		}
		ref = deployment.Ref{Kind: given.kind, Name: *given.name}
	}
	if ref.Kind == deployment.RefCommit {
		ref.Name = strings.ToLower(ref.Name)
	}
	return ref, fieldProblem(deployment.ValidateRef(ref))
}

// environmentOf returns the environment that was named, or the one that the ref belongs to.
func environmentOf(p deployment.Project, ref deployment.Ref, named string) (string, error) {
	if named != "" {
		return named, fieldProblem(deployment.ValidateEnvironmentName(named))
	}
	switch ref.Kind {
	case deployment.RefDefault:
		return string(deployment.KindProduction), nil
	case deployment.RefBranch:
		if ref.Name == p.ProductionBranch {
			return string(deployment.KindProduction), nil
		}
		return "branch/" + ref.Name, nil
	default:
		return "", fieldProblem(fault("environment", fmt.Sprintf("is missing, and a %s belongs to none by itself", ref.Kind),
			`name one: "production", "branch/<name>" or "pr/<number>"`))
	}
}

// requestDigest identifies what was asked for, not what came of it: the production branch may become known between a
// request and its repeat.
func requestDigest(projectID string, ref deployment.Ref, environment string, force bool) ([]byte, error) {
	canonical, err := json.Marshal(struct {
		Project     string
		Ref         deployment.Ref
		Environment string
		Force       bool
	}{projectID, ref, environment, force})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return sum[:], nil
}
