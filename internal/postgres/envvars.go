package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

var errNoCipher = errors.New("this process has no keyset for secrets")

// EnvVarNames returns the variables that a deploy to the scope's environment sees, or those of a whole project, without
// their values and sorted by name.
func (s *Store) EnvVarNames(ctx context.Context, scope deployment.Scope) ([]deployment.EnvVar, error) {
	rows, err := s.envVars(ctx, scope)
	vars := make([]deployment.EnvVar, len(rows))
	for i, row := range rows {
		vars[i] = deployment.EnvVar{Name: row.Name, Target: deployment.EnvTarget(row.Target), EnvironmentID: orEmpty(row.EnvironmentID)}
	}
	return vars, err
}

// EnvVars returns the same variables as EnvVarNames with their values.
func (s *Store) EnvVars(ctx context.Context, scope deployment.Scope) ([]deployment.EnvVar, error) {
	rows, err := s.envVars(ctx, scope)
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 && s.options.Cipher == nil {
		return nil, at(errNoCipher, "env vars of %s", scope.ID())
	}
	vars := make([]deployment.EnvVar, len(rows))
	for i, row := range rows {
		from := deployment.Scope{ProjectID: scope.ProjectID, EnvironmentID: orEmpty(row.EnvironmentID)}
		value, err := s.options.Cipher.Decrypt(row.Value, placeOf(from, row.Name))
		if err != nil {
			return nil, at(err, "env vars of %s: decrypt %s", scope.ID(), row.Name)
		}
		vars[i] = deployment.EnvVar{
			Name: row.Name, Value: string(value), Target: deployment.EnvTarget(row.Target), EnvironmentID: from.EnvironmentID,
			Version: versionOf(row.Value),
		}
	}
	return vars, nil
}

func (s *Store) envVars(ctx context.Context, scope deployment.Scope) ([]db.EnvVarsRow, error) {
	if !isID(scope.ProjectID) || !isID(scope.ID()) {
		return nil, at(deployment.ErrNotFound, "env vars of %q", scope.ID())
	}
	rows, err := s.q.EnvVars(ctx, db.EnvVarsParams{ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID)})
	return rows, at(err, "env vars of %s", scope.ID())
}

// ReplaceEnvVars makes vars the scope's only variables: the project's own, or those set for the environment.
func (s *Store) ReplaceEnvVars(ctx context.Context, scope deployment.Scope, vars []deployment.EnvVar) error {
	return s.setEnvVars(ctx, scope, vars, true)
}

// MergeEnvVars adds vars to the scope's variables; those of the same names are replaced.
func (s *Store) MergeEnvVars(ctx context.Context, scope deployment.Scope, vars []deployment.EnvVar) error {
	return s.setEnvVars(ctx, scope, vars, false)
}

func (s *Store) setEnvVars(ctx context.Context, scope deployment.Scope, vars []deployment.EnvVar, replace bool) error {
	if !isID(scope.ProjectID) || !isID(scope.ID()) {
		return at(deployment.ErrNotFound, "set env vars of %q", scope.ID())
	}
	sealed, err := s.seal(scope, vars)
	if err != nil {
		return at(err, "set env vars of %s", scope.ID())
	}
	return at(s.inTx(ctx, func(q *db.Queries) error {
		if err := lockScope(ctx, q, scope); err != nil {
			return err
		}
		if replace {
			old := db.DeleteEnvVarsParams{ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID)}
			if err := q.DeleteEnvVars(ctx, old); err != nil {
				return err
			}
		}
		for _, v := range sealed {
			if err := q.SetEnvVar(ctx, v); err != nil {
				return err
			}
		}
		return nil
	}), "set env vars of %s", scope.ID())
}

// lockScope keeps a deletion away; what is deleted already is no row.
func lockScope(ctx context.Context, q *db.Queries, scope deployment.Scope) error {
	_, err := q.LockProject(ctx, scope.ProjectID)
	if err == nil && scope.EnvironmentID != "" {
		_, err = q.LockEnvironment(ctx, db.LockEnvironmentParams{ID: scope.EnvironmentID, ProjectID: scope.ProjectID})
	}
	return err
}

func (s *Store) seal(scope deployment.Scope, vars []deployment.EnvVar) ([]db.SetEnvVarParams, error) {
	if len(vars) > 0 && s.options.Cipher == nil {
		return nil, errNoCipher
	}
	sealed := make([]db.SetEnvVarParams, len(vars))
	for i, v := range vars {
		value, err := s.options.Cipher.Encrypt([]byte(v.Value), placeOf(scope, v.Name))
		if err != nil {
			return nil, fmt.Errorf("encrypt %s: %w", v.Name, err)
		}
		sealed[i] = db.SetEnvVarParams{
			ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID), Name: v.Name, Target: string(v.Target), Value: value,
		}
	}
	return sealed, nil
}

// DeleteEnvVar removes one of the scope's own variables; deployment.ErrNotFound when it has none of that name.
func (s *Store) DeleteEnvVar(ctx context.Context, scope deployment.Scope, name string) error {
	if !isID(scope.ProjectID) || !isID(scope.ID()) || !isText(name) {
		return at(deployment.ErrNotFound, "delete env var %q", name)
	}
	n, err := s.q.DeleteEnvVar(ctx, db.DeleteEnvVarParams{
		ProjectID: scope.ProjectID, EnvironmentID: orNull(scope.EnvironmentID), Name: name,
	})
	if err == nil && n == 0 {
		err = deployment.ErrNotFound
	}
	return at(err, "delete env var %s", name)
}

// versionOf tells one writing of a variable from another: a sealed value is never the same twice.
func versionOf(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:8])
}

// placeOf is the associated data of a value: moved to another project, environment or name, it does not decrypt.
func placeOf(scope deployment.Scope, name string) []byte {
	if scope.EnvironmentID != "" {
		return []byte(scope.ProjectID + "/" + scope.EnvironmentID + "/" + name)
	}
	return []byte(scope.ProjectID + "/" + name)
}
