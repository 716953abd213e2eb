-- name: CreateProject :one
INSERT INTO projects (id, name, repo_url, root_dir, builder, install_command, build_command, start_command, port, health_path,
                      health_status, health_timeout_seconds, production_branch, build_timeout_seconds, cpus, memory_mb,
                      build_settings, release_command, release_timeout_seconds, limits, preview_resources)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
RETURNING *;

-- name: UpdateProject :one
-- updated_at is the version that was read; it rises with each change, whatever the clock does.
UPDATE projects
   SET name = $2, repo_url = $3, root_dir = $4, builder = $5, install_command = $6, build_command = $7, start_command = $8,
       port = $9, health_path = $10, health_status = $11, health_timeout_seconds = $12, production_branch = $13,
       build_timeout_seconds = $14, cpus = $15, memory_mb = $16, build_settings = $17,
       release_command = $18, release_timeout_seconds = $19, limits = $20, preview_resources = $21,
       updated_at = greatest(now(), updated_at + interval '1 microsecond')
 WHERE id = $1 AND deleted_at IS NULL AND updated_at = $22
RETURNING *;

-- name: ProjectByID :one
SELECT * FROM projects WHERE id = $1 AND deleted_at IS NULL;

-- name: ProjectByName :one
SELECT * FROM projects WHERE name = $1 AND deleted_at IS NULL;

-- name: Projects :many
SELECT * FROM projects WHERE deleted_at IS NULL AND name > @after ORDER BY name LIMIT @max;

-- name: SetProductionBranch :execrows
-- The first answer of the remote stands; a branch that somebody chose is never overwritten.
UPDATE projects
   SET production_branch = CASE WHEN production_branch = '' THEN @branch::text ELSE production_branch END,
       updated_at = CASE WHEN production_branch = '' THEN greatest(now(), updated_at + interval '1 microsecond') ELSE updated_at END
 WHERE id = @id AND deleted_at IS NULL;

-- name: LockProject :one
-- Deploys, deletion and variables of one project follow one another.
SELECT next_number FROM projects WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE;
