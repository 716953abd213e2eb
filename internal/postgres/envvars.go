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

// EnvVarNames returns a project's variables without their values, sorted by name.
func (s *Store) EnvVarNames(ctx context.Context, projectID string) ([]deployment.EnvVar, error) {
	if !isID(projectID) {
		return nil, at(deployment.ErrNotFound, "env vars of project %q", projectID)
	}
	rows, err := s.q.EnvVarNames(ctx, projectID)
	if err != nil {
		return nil, at(err, "env vars of project %s", projectID)
	}
	vars := make([]deployment.EnvVar, len(rows))
	for i, row := range rows {
		vars[i] = deployment.EnvVar{Name: row.Name, Target: deployment.EnvTarget(row.Target)}
	}
	return vars, nil
}

// EnvVars returns a project's variables with their values, sorted by name.
func (s *Store) EnvVars(ctx context.Context, projectID string) ([]deployment.EnvVar, error) {
	rows, err := s.q.EnvVars(ctx, projectID)
	if err != nil {
		return nil, at(err, "env vars of project %s", projectID)
	}
	if len(rows) > 0 && s.options.Cipher == nil {
		return nil, at(errNoCipher, "env vars of project %s", projectID)
	}
	vars := make([]deployment.EnvVar, len(rows))
	for i, row := range rows {
		value, err := s.options.Cipher.Decrypt(row.Value, placeOf(projectID, row.Name))
		if err != nil {
			return nil, at(err, "env vars of project %s: decrypt %s", projectID, row.Name)
		}
		vars[i] = deployment.EnvVar{Name: row.Name, Value: string(value), Target: deployment.EnvTarget(row.Target), Version: versionOf(row.Value)}
	}
	return vars, nil
}

// ReplaceEnvVars makes vars the project's only variables.
func (s *Store) ReplaceEnvVars(ctx context.Context, projectID string, vars []deployment.EnvVar) error {
	return s.setEnvVars(ctx, projectID, vars, true)
}

// MergeEnvVars adds vars to the project's variables; those of the same names are replaced.
func (s *Store) MergeEnvVars(ctx context.Context, projectID string, vars []deployment.EnvVar) error {
	return s.setEnvVars(ctx, projectID, vars, false)
}

func (s *Store) setEnvVars(ctx context.Context, projectID string, vars []deployment.EnvVar, replace bool) error {
	if !isID(projectID) {
		return at(deployment.ErrNotFound, "set env vars of project %q", projectID)
	}
	sealed, err := s.seal(projectID, vars)
	if err != nil {
		return at(err, "set env vars of project %s", projectID)
	}
	return at(s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, projectID); err != nil {
			return err
		}
		if replace {
			if err := q.DeleteEnvVars(ctx, projectID); err != nil {
				return err
			}
		}
		for _, v := range sealed {
			if err := q.SetEnvVar(ctx, v); err != nil {
				return err
			}
		}
		return nil
	}), "set env vars of project %s", projectID)
}

func (s *Store) seal(projectID string, vars []deployment.EnvVar) ([]db.SetEnvVarParams, error) {
	if len(vars) > 0 && s.options.Cipher == nil {
		return nil, errNoCipher
	}
	sealed := make([]db.SetEnvVarParams, len(vars))
	for i, v := range vars {
		value, err := s.options.Cipher.Encrypt([]byte(v.Value), placeOf(projectID, v.Name))
		if err != nil {
			return nil, fmt.Errorf("encrypt %s: %w", v.Name, err)
		}
		sealed[i] = db.SetEnvVarParams{ProjectID: projectID, Name: v.Name, Target: string(v.Target), Value: value}
	}
	return sealed, nil
}

// DeleteEnvVar removes one variable; deployment.ErrNotFound when the project has none of that name.
func (s *Store) DeleteEnvVar(ctx context.Context, projectID, name string) error {
	if !isID(projectID) || !isText(name) {
		return at(deployment.ErrNotFound, "delete env var %q", name)
	}
	n, err := s.q.DeleteEnvVar(ctx, db.DeleteEnvVarParams{ProjectID: projectID, Name: name})
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

// placeOf is the associated data of a value: moved to another project or name, it does not decrypt.
func placeOf(projectID, name string) []byte { return []byte(projectID + "/" + name) }
