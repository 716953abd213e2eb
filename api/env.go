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
func (s *server) ListEnv(c *gin.Context, project string, params oapi.ListEnvParams) {
	scope, err := s.envScope(c, project, params.Environment)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerEnv(c, scope)
}

// ReplaceEnv serves PUT /v1/projects/{project}/env.
func (s *server) ReplaceEnv(c *gin.Context, project string, params oapi.ReplaceEnvParams) {
	s.storeEnv(c, project, params.Environment, s.Store.ReplaceEnvVars)
}

// MergeEnv serves PATCH /v1/projects/{project}/env.
func (s *server) MergeEnv(c *gin.Context, project string, params oapi.MergeEnvParams) {
	s.storeEnv(c, project, params.Environment, s.Store.MergeEnvVars)
}

// DeleteEnv serves DELETE /v1/projects/{project}/env/{name}.
func (s *server) DeleteEnv(c *gin.Context, project, name string, params oapi.DeleteEnvParams) {
	scope, err := s.envScope(c, project, params.Environment)
	if err == nil {
		err = named(s.Store.DeleteEnvVar(c.Request.Context(), scope, name), "name", "variable"+ofEnvironment(scope), name)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerEnv(c, scope)
}

func ofEnvironment(scope deployment.Scope) string {
	if scope.EnvironmentID == "" {
		return ""
	}
	return " of the environment"
}

// envScope finds whose variables a request means.
func (s *server) envScope(c *gin.Context, project string, environment *string) (deployment.Scope, error) {
	p, err := s.project(c, project)
	if err != nil || environment == nil {
		return deployment.Scope{ProjectID: p.ID}, err
	}
	e, err := s.namedEnvironment(c, p, *environment)
	return deployment.Scope{ProjectID: p.ID, EnvironmentID: e.ID}, err
}

func (s *server) storeEnv(c *gin.Context, project string, environment *string, store func(context.Context, deployment.Scope, []deployment.EnvVar) error) {
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
	scope := deployment.Scope{ProjectID: p.ID}
	if err == nil && environment != nil {
		scope, err = s.environmentToSet(c, p, *environment)
	}
	if err == nil {
		err = store(c.Request.Context(), scope, vars)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerEnv(c, scope)
}

// environmentToSet finds the environment that variables are set for. One that is named and not there yet is made: its first
// deployment, which would make it, comes too late for them.
func (s *server) environmentToSet(c *gin.Context, p deployment.Project, given string) (deployment.Scope, error) {
	var e deployment.Environment
	var err error
	if idShape.MatchString(given) {
		e, err = s.namedEnvironment(c, p, given)
	} else if f := deployment.ValidateEnvironmentName(given); f != nil {
		err = parameterProblem(f.Field, f.Fault, f.Fix)
	} else {
		e, err = s.Store.EnsureEnvironment(c.Request.Context(), p, given)
	}
	return deployment.Scope{ProjectID: p.ID, EnvironmentID: e.ID}, err
}

func (s *server) answerEnv(c *gin.Context, scope deployment.Scope) {
	vars, err := s.Store.EnvVarNames(c.Request.Context(), scope)
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
