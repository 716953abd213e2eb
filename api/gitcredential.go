package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// SetGitCredential serves PUT /v1/projects/{project}/git-credential.
func (s *server) SetGitCredential(c *gin.Context, project string) {
	p, err := s.project(c, project)
	var credential deployment.GitCredential
	if err == nil {
		credential, err = s.givenCredential(c, p)
	}
	if err == nil {
		err = s.Store.SetGitCredential(c.Request.Context(), p.ID, credential)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	warning := s.tryCredential(c.Request.Context(), p, credential)
	if p, err = s.project(c, p.ID); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.GitCredentialAnswer{GitCredential: wireGitCredential(p), Warning: warning})
}

// DeleteGitCredential serves DELETE /v1/projects/{project}/git-credential.
func (s *server) DeleteGitCredential(c *gin.Context, project string) {
	p, err := s.project(c, project)
	if err == nil {
		err = s.Store.DeleteGitCredential(c.Request.Context(), p.ID)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *server) givenCredential(c *gin.Context, p deployment.Project) (deployment.GitCredential, error) {
	var input oapi.GitCredentialInput
	if err := decodeBody(c, &input); err != nil {
		return deployment.GitCredential{}, err
	}
	credential, faults := s.Guard.CheckCredential(p.RepoURL, deployment.GitCredential{
		Secret: input.Secret, KnownHosts: value(input.KnownHosts),
		CredentialSummary: deployment.CredentialSummary{Kind: deployment.CredentialKind(input.Kind), Username: value(input.Username)},
	})
	return credential, fieldProblem(faults...)
}

// tryCredential asks the repository for its HEAD with a credential that was just given, and notes the answer as the
// production branch of a project that has none: later the API has no credential to ask with. A server that does not let it
// in is a warning only, since a deploy key is often made known to it afterwards.
func (s *server) tryCredential(ctx context.Context, p deployment.Project, credential deployment.GitCredential) *oapi.GitCredentialWarning {
	branch, err := s.Guard.DefaultBranch(ctx, deployment.Repository{URL: p.RepoURL, Credential: &credential})
	if err == nil {
		if err := s.Store.SetProductionBranch(ctx, p.ID, branch); err != nil {
			s.Logger.Warn("Production branch not noted; the first deploy will", "project", p.ID, "error", err)
		}
		return nil
	}
	f := deployment.AsFailure(err)
	return &oapi.GitCredentialWarning{Code: f.Code, Message: f.Message, Fix: optional(f.Fix)}
}
