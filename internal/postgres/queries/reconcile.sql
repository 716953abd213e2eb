-- name: QueuedUnstarted :many
SELECT * FROM deployment_details v
 WHERE v.finished_at IS NULL AND v.status = 'queued' AND v.run_id = '' AND v.created_at < now() - @older_than::interval
   AND NOT EXISTS (SELECT FROM deployments d WHERE d.id = v.id AND d.retry_requested_at IS NOT NULL)
 ORDER BY v.created_at, v.id;

-- name: UnmadeRetries :many
SELECT * FROM deployment_details v
 WHERE v.status = 'queued'
   AND EXISTS (SELECT FROM deployments d WHERE d.id = v.id AND d.retry_requested_at < now() - @older_than::interval)
 ORDER BY v.created_at, v.id;

-- name: Canceling :many
SELECT * FROM deployment_details v WHERE v.finished_at IS NULL AND v.status = 'canceling' ORDER BY v.created_at, v.id;

-- name: UnderWay :many
-- Deployments that a run has begun, older than what a start takes.
SELECT * FROM deployment_details v
 WHERE v.finished_at IS NULL AND v.status <> 'canceling' AND v.run_id <> '' AND v.started_at < now() - @older_than::interval
 ORDER BY v.created_at, v.id;

-- name: DeletedProjects :many
SELECT id FROM projects WHERE deleted_at IS NOT NULL ORDER BY deleted_at, id;

-- name: ProjectDeployments :many
SELECT id FROM deployments WHERE project_id = $1 ORDER BY number;

-- name: LockDeletedProject :one
SELECT id FROM projects WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE;

-- name: OwnedByProject :one
SELECT count(*) FROM resources r JOIN deployments d ON d.id = r.deployment_id WHERE d.project_id = $1;

-- name: ForgetLive :exec
UPDATE environments SET live_deployment_id = NULL WHERE project_id = $1;

-- name: PurgeDeployments :exec
DELETE FROM deployments WHERE project_id = $1;

-- name: PurgeEnvironments :exec
DELETE FROM environments WHERE project_id = $1;

-- name: PurgeProject :exec
DELETE FROM projects WHERE id = $1;
