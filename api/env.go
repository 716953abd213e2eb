package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

const envNote = "takes effect at the next deployment"

// ListEnv serves GET /v1/projects/{project}/env.
func (s *server) ListEnv(c *gin.Context, project string) {
	p, err := s.project(c, project)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerEnv(c, p.ID)
}

// ReplaceEnv serves PUT /v1/projects/{project}/env.
func (s *server) ReplaceEnv(c *gin.Context, project string) {
	s.storeEnv(c, project, s.Store.ReplaceEnvVars)
}

// MergeEnv serves PATCH /v1/projects/{project}/env.
func (s *server) MergeEnv(c *gin.Context, project string) {
	s.storeEnv(c, project, s.Store.MergeEnvVars)
}

// DeleteEnv serves DELETE /v1/projects/{project}/env/{name}.
func (s *server) DeleteEnv(c *gin.Context, project, name string) {
	p, err := s.project(c, project)
	if err == nil {
		err = named(s.Store.DeleteEnvVar(c.Request.Context(), p.ID, name), "name", "variable", name)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerEnv(c, p.ID)
}

func (s *server) storeEnv(c *gin.Context, project string, store func(context.Context, string, []deployment.EnvVar) error) {
	p, err := s.project(c, project)
	if err != nil {
		s.fail(c, err)
		return
	}
	var input oapi.EnvInput
	if err := decodeBody(c, &input); err != nil {
		s.fail(c, err)
		return
	}
	vars, err := envVars(input)
	if err == nil {
		err = store(c.Request.Context(), p.ID, vars)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerEnv(c, p.ID)
}

func (s *server) answerEnv(c *gin.Context, projectID string) {
	vars, err := s.Store.EnvVarNames(c.Request.Context(), projectID)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.Env{Vars: list(vars, wireEnvVar), Note: envNote})
}

// envVars checks the variables of a request; a target that is left out means both.
func envVars(input oapi.EnvInput) ([]deployment.EnvVar, error) {
	var faults []*deployment.FieldError
	vars := make([]deployment.EnvVar, 0, len(input.Vars))
	seen := make(map[string]bool, len(input.Vars))
	for i, in := range input.Vars {
		v := deployment.EnvVar{Name: in.Name, Value: in.Value, Target: deployment.TargetBoth}
		if in.Target != nil {
			v.Target = deployment.EnvTarget(*in.Target)
		}
		if seen[v.Name] {
			faults = append(faults, fault(fmt.Sprintf("vars[%d].name", i), "is given twice", "give each variable once"))
		}
		seen[v.Name] = true
		faults = append(faults, deployment.ValidateEnvVar(i, v))
		vars = append(vars, v)
	}
	return vars, fieldProblem(faults...)
}
