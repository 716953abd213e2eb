-- name: EnvironmentByID :one
SELECT * FROM environment_details WHERE id = $1;

-- name: EnvironmentByName :one
SELECT * FROM environment_details WHERE project_id = $1 AND name = $2;

-- name: Environments :many
SELECT * FROM environment_details WHERE project_id = $1 AND name > @after ORDER BY name LIMIT @max;

-- name: LockEnvironment :one
SELECT id FROM environments WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: SetOrderPolicy :exec
UPDATE environments SET order_policy = $2 WHERE id = $1;
