-- What is deleted is named by a project and, for one environment alone, by the environment: null stands for all of them.

-- name: HideProject :exec
UPDATE projects SET deleted_at = now(), updated_at = now() WHERE id = $1;

-- name: HideEnvironments :execrows
UPDATE environments SET deleted_at = now(), host = NULL
 WHERE project_id = @project_id AND deleted_at IS NULL
   AND (sqlc.narg('environment_id')::uuid IS NULL OR id = sqlc.narg('environment_id')::uuid);

-- name: CancelWaitingIn :exec
-- Nothing has been made for them that would have to be removed first.
UPDATE deployments
   SET status = 'canceled', step = NULL, finished_at = now(), cancel_requested_at = now(), retry_requested_at = NULL
 WHERE project_id = @project_id AND status = 'queued' AND admitted_at IS NULL
   AND (sqlc.narg('environment_id')::uuid IS NULL OR environment_id = sqlc.narg('environment_id')::uuid);

-- name: CancelAll :exec
UPDATE deployments SET status = 'canceling', cancel_requested_at = coalesce(cancel_requested_at, now())
 WHERE project_id = @project_id AND status IN ('queued', 'fetching', 'planning', 'building', 'releasing')
   AND (sqlc.narg('environment_id')::uuid IS NULL OR environment_id = sqlc.narg('environment_id')::uuid);

-- name: Deletions :many
-- All of them, or the one with that id. What goes with its project is not named by itself, unless it is asked for.
SELECT p.id AS project_id, NULL::uuid AS environment_id, p.name AS project_name, p.name, p.deleted_at::timestamptz AS deleted_at
  FROM projects p
 WHERE p.deleted_at IS NOT NULL AND (sqlc.narg('id')::uuid IS NULL OR p.id = sqlc.narg('id')::uuid)
UNION ALL
SELECT p.id, e.id, p.name, e.name, e.deleted_at
  FROM environments e JOIN projects p ON p.id = e.project_id
 WHERE e.deleted_at IS NOT NULL AND (e.id = sqlc.narg('id')::uuid OR sqlc.narg('id')::uuid IS NULL AND p.deleted_at IS NULL)
 ORDER BY deleted_at, project_id, environment_id;

-- name: Left :many
-- What keeps a deletion from its end: deployments that have not ended, and things that the ledger still knows.
SELECT 'deployment'::text AS kind, ('#' || d.number || ', ' || d.status)::text AS name, ''::text AS host, d.id AS deployment_id,
       d.number, NULL::timestamptz AS host_seen_at
  FROM deployments d
 WHERE d.project_id = @project_id AND d.finished_at IS NULL
   AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
UNION ALL
SELECT r.kind, r.name, r.host, d.id, d.number, h.last_seen_at
  FROM resources r
  JOIN deployments d ON d.id = r.deployment_id
  LEFT JOIN hosts h ON h.id = r.host
 WHERE d.project_id = @project_id
   AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
 ORDER BY number, kind, name;

-- name: UnderWayIn :many
SELECT * FROM deployment_details v
 WHERE v.project_id = @project_id AND v.finished_at IS NULL
   AND (sqlc.narg('environment_id')::uuid IS NULL OR v.environment_id = sqlc.narg('environment_id')::uuid)
 ORDER BY v.created_at, v.id;

-- name: DeploymentIDs :many
SELECT id FROM deployments
 WHERE project_id = @project_id
   AND (sqlc.narg('environment_id')::uuid IS NULL OR environment_id = sqlc.narg('environment_id')::uuid)
 ORDER BY number;

-- name: OwnedIn :many
SELECT r.* FROM resources r JOIN deployments d ON d.id = r.deployment_id
 WHERE d.project_id = @project_id
   AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
   AND (@host::text = '' OR r.host = @host) AND r.kind = ANY (@kinds::text[])
 ORDER BY r.kind, r.name;

-- name: HostsOf :many
-- The hosts that hold something, and those that ever ran a step and are there: they are looked at again.
SELECT (r.kind <> 'workspace')::boolean AS previews, r.host
  FROM resources r JOIN deployments d ON d.id = r.deployment_id
 WHERE d.project_id = @project_id AND r.kind IN ('base_image', 'container', 'network', 'workspace')
   AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
UNION
SELECT (s.step = 'release')::boolean, s.host
  FROM steps s JOIN deployments d ON d.id = s.deployment_id
  JOIN hosts h ON h.id = s.host AND h.last_seen_at > now() - @within::interval
 WHERE d.project_id = @project_id AND s.step IN ('fetch', 'plan', 'build', 'release')
   AND (sqlc.narg('environment_id')::uuid IS NULL OR d.environment_id = sqlc.narg('environment_id')::uuid)
 ORDER BY 1, 2;

-- name: LockDeletedProject :one
SELECT id FROM projects WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE;

-- name: LockDeletedEnvironment :one
SELECT id FROM environments WHERE id = $1 AND project_id = $2 AND deleted_at IS NOT NULL FOR UPDATE;

-- name: ForgetLive :exec
UPDATE environments SET live_deployment_id = NULL
 WHERE project_id = @project_id AND (sqlc.narg('environment_id')::uuid IS NULL OR id = sqlc.narg('environment_id')::uuid);

-- name: PurgeDeployments :exec
DELETE FROM deployments
 WHERE project_id = @project_id
   AND (sqlc.narg('environment_id')::uuid IS NULL OR environment_id = sqlc.narg('environment_id')::uuid);

-- name: PurgeEnvironments :exec
DELETE FROM environments
 WHERE project_id = @project_id AND (sqlc.narg('environment_id')::uuid IS NULL OR id = sqlc.narg('environment_id')::uuid);

-- name: PurgeProject :exec
DELETE FROM projects WHERE id = $1;
