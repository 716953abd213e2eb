-- name: EnvVarNames :many
SELECT name, target FROM env_vars WHERE project_id = $1 ORDER BY name COLLATE "C";

-- name: EnvVars :many
SELECT name, target, value FROM env_vars WHERE project_id = $1 ORDER BY name COLLATE "C";

-- name: SetEnvVar :exec
INSERT INTO env_vars (project_id, name, target, value) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, name) DO UPDATE SET target = excluded.target, value = excluded.value;

-- name: DeleteEnvVar :execrows
DELETE FROM env_vars WHERE project_id = $1 AND name = $2;

-- name: DeleteEnvVars :exec
DELETE FROM env_vars WHERE project_id = $1;
