-- name: DeploymentByKey :one
SELECT id, request_digest FROM deployments WHERE project_id = $1 AND idempotency_key = $2;

-- name: CountOpen :one
-- Deployments that have not ended, counted up to a bound.
SELECT count(*)::integer FROM (SELECT 1 FROM deployments WHERE finished_at IS NULL LIMIT $1) AS open;

-- name: TakeNumber :one
UPDATE projects SET next_number = next_number + 1 WHERE id = $1 RETURNING (next_number - 1)::integer AS number;

-- name: TakeGeneration :one
UPDATE environments SET generation = generation + 1
 WHERE project_id = $1 AND name = $2 AND deleted_at IS NULL
RETURNING id, generation, order_policy;

-- name: CreateEnvironment :execrows
-- Nothing is inserted when another environment has the host.
INSERT INTO environments (id, project_id, name, kind, host, generation) VALUES ($1, $2, $3, $4, @host::text, $5)
ON CONFLICT (host) DO NOTHING;

-- name: CreateDeployment :execrows
-- It waits until it is admitted. Nothing is inserted when another deployment has the preview host: 8 hex digits do collide.
INSERT INTO deployments (id, project_id, environment_id, number, generation, ref_kind, ref_name, force, workflow_id,
                         preview_host, idempotency_key, request_digest, admitted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL)
ON CONFLICT (preview_host) DO NOTHING;
