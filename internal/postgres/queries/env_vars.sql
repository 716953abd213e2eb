-- name: EnvVars :many
-- What a deploy to the environment sees; without one, what the project says for all of them.
SELECT DISTINCT ON (name COLLATE "C") name, target, value, environment_id FROM env_vars
 WHERE project_id = @project_id AND (environment_id IS NULL OR environment_id = sqlc.narg('environment_id')::uuid)
 ORDER BY name COLLATE "C", environment_id NULLS LAST;

-- name: SetEnvVar :exec
INSERT INTO env_vars (project_id, environment_id, name, target, value) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (project_id, environment_id, name) DO UPDATE SET target = excluded.target, value = excluded.value;

-- name: DeleteEnvVar :execrows
DELETE FROM env_vars
 WHERE project_id = @project_id AND environment_id IS NOT DISTINCT FROM sqlc.narg('environment_id')::uuid AND name = @name;

-- name: DeleteEnvVars :exec
DELETE FROM env_vars WHERE project_id = @project_id AND environment_id IS NOT DISTINCT FROM sqlc.narg('environment_id')::uuid;
