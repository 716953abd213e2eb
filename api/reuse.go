package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// RollbackEnvironment serves POST /v1/environments/{id}/rollback.
func (s *server) RollbackEnvironment(c *gin.Context, id string, params oapi.RollbackEnvironmentParams) {
	var body oapi.Rollback
	if err := decodeBody(c, &body); err != nil {
		s.fail(c, err)
		return
	}
	s.reuse(c, id, value(body.Deployment), value(params.IdempotencyKey), mustBeOf)
}

// PromoteDeployment serves POST /v1/environments/{id}/promote.
func (s *server) PromoteDeployment(c *gin.Context, id string, params oapi.PromoteDeploymentParams) {
	var body oapi.Promotion
	if err := decodeBody(c, &body); err != nil {
		s.fail(c, err)
		return
	}
	s.reuse(c, id, body.Deployment, value(params.IdempotencyKey), mustNotBeOf)
}

// reuse deploys the image of an earlier deployment to an environment. Whether the registry still has the image is for the
// run to find out: the API does not reach it.
func (s *server) reuse(c *gin.Context, environment, source, key string, fits func(deployment.Environment, deployment.Deployment) error) {
	ctx := c.Request.Context()
	e, err := s.Store.EnvironmentByID(ctx, environment)
	if err != nil {
		s.fail(c, named(err, "id", "environment", environment))
		return
	}
	if err := s.checkSource(ctx, e, source, fits); err != nil {
		s.fail(c, err)
		return
	}
	p, err := s.Store.Project(ctx, e.ProjectID)
	if err != nil {
		s.fail(c, named(err, "id", "environment", environment))
		return
	}
	digest, err := reuseDigest(e.ID, source)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.accept(c, NewDeployment{
		Project: p, Environment: e.Name, IdempotencyKey: key, RequestDigest: digest, MaxOpen: s.MaxQueued,
		Reuse: &deployment.Reuse{From: source},
	})
}

// checkSource looks at the deployment that was named. One that was not is the store's to choose.
func (s *server) checkSource(ctx context.Context, e deployment.Environment, id string, fits func(deployment.Environment, deployment.Deployment) error) error {
	if id == "" {
		return nil
	}
	source, err := s.Store.Deployment(ctx, id)
	if errors.Is(err, deployment.ErrNotFound) || err == nil && source.ProjectID != e.ProjectID {
		return fieldProblem(fault("deployment", "is none of the project "+e.ProjectName, "`slipway ps` lists the project's deployments"))
	}
	if err != nil {
		return err
	}
	return fits(e, source)
}

func mustBeOf(e deployment.Environment, source deployment.Deployment) error {
	if source.EnvironmentID == e.ID {
		return nil
	}
	return fieldProblem(fault("deployment", "was deployed to "+source.Environment+", not to "+e.Name,
		"name one of this environment, or promote it to this one"))
}

func mustNotBeOf(e deployment.Environment, source deployment.Deployment) error {
	if source.EnvironmentID != e.ID {
		return nil
	}
	return fieldProblem(fault("deployment", "was deployed to "+e.Name+" itself", "name one of another environment, or roll back to it"))
}

// reuseDigest identifies what was asked for, as requestDigest does of a deploy.
func reuseDigest(environment, source string) ([]byte, error) {
	canonical, err := json.Marshal(struct{ Environment, Reuse string }{environment, source})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return sum[:], nil
}
