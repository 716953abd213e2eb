-- name: Deployment :one
-- An image that the environment ran before, and that is gone, is built again where nothing is live that would stay instead: a
-- restore leaves it so.
SELECT sqlc.embed(v), d.plan, d.dockerfile, d.plan_input, d.image_input, d.build_figures,
       EXISTS (SELECT FROM environments e JOIN deployments s ON s.environment_id = e.id
                WHERE e.id = v.environment_id AND e.live_deployment_id IS NULL AND s.id = v.reused_from) AS build_again
  FROM deployment_details v JOIN deployments d ON d.id = v.id
 WHERE v.id = $1;

-- name: Deployments :many
SELECT * FROM deployment_details v
 WHERE (sqlc.narg('project_id')::uuid IS NULL OR v.project_id = sqlc.narg('project_id')::uuid)
   AND (sqlc.narg('environment_id')::uuid IS NULL OR v.environment_id = sqlc.narg('environment_id')::uuid)
   AND (sqlc.narg('environment')::text IS NULL OR v.environment = sqlc.narg('environment')::text)
   AND (sqlc.narg('status')::text IS NULL OR v.status = sqlc.narg('status')::text)
   AND EXISTS (SELECT FROM environments e WHERE e.id = v.environment_id AND e.deleted_at IS NULL)
   AND (v.created_at, v.id) < (@before_time::timestamptz, @before_id::uuid)
 ORDER BY v.created_at DESC, v.id DESC
 LIMIT @max;

-- name: RequestCancel :execrows
UPDATE deployments SET status = 'canceling', cancel_requested_at = coalesce(cancel_requested_at, now())
 WHERE id = $1 AND status IN ('queued', 'fetching', 'planning', 'building', 'releasing');

-- name: LockDeployment :one
SELECT status, run_id, environment_id, generation, cancel_requested_at, finished_at, retry_requested_at, superseded_by, admitted_at
  FROM deployments WHERE id = $1 FOR NO KEY UPDATE;

-- name: SetStatus :exec
UPDATE deployments SET status = $2 WHERE id = $1;

-- name: EndDeployment :exec
-- What supersedes a deployment that no newer one has canceled is what is live instead.
UPDATE deployments d
   SET status = @status, failure = @failure, step = NULL, finished_at = now(), retry_requested_at = NULL,
       superseded_by = CASE WHEN @status::text = 'superseded'
                            THEN coalesce(d.superseded_by, (SELECT e.live_deployment_id FROM environments e WHERE e.id = d.environment_id))
                            ELSE d.superseded_by END
 WHERE d.id = @id;
