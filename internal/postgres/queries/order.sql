-- name: EndOlder :exec
-- Older deployments of the environment for which no run has done anything end at once. A workflow of theirs that is just being
-- started finds the end in the row.
UPDATE deployments d
   SET status = 'superseded', superseded_by = n.id, step = NULL, finished_at = now(), retry_requested_at = NULL
  FROM deployments n
 WHERE n.id = $1 AND d.environment_id = n.environment_id AND d.generation < n.generation
   AND d.status = 'queued' AND (d.run_id = '' OR d.retry_requested_at IS NOT NULL OR d.admitted_at IS NULL);

-- name: CancelOlder :exec
-- The other older ones end when what they made is gone. One that is canceling already was canceled by somebody, and stays so.
UPDATE deployments d
   SET status = 'canceling', superseded_by = n.id, cancel_requested_at = now()
  FROM deployments n
 WHERE n.id = $1 AND d.environment_id = n.environment_id AND d.generation < n.generation
   AND d.status IN ('queued', 'fetching', 'planning', 'building', 'releasing');

-- name: CancelingFor :many
SELECT id FROM deployments WHERE superseded_by = $1 AND status = 'canceling' ORDER BY generation;

-- name: Admit :exec
UPDATE deployments SET admitted_at = coalesce(admitted_at, now()) WHERE id = $1;

-- name: AdmitNext :exec
-- The oldest of an environment that waits, unless something of it is under way. One that is being canceled at this moment is
-- passed over.
UPDATE deployments SET admitted_at = now()
 WHERE id = (
       SELECT w.id FROM deployments w
        WHERE w.environment_id = $1 AND w.status = 'queued' AND w.admitted_at IS NULL
          AND NOT EXISTS (SELECT FROM deployments o WHERE o.environment_id = $1 AND o.finished_at IS NULL
                                                      AND (o.status <> 'queued' OR o.admitted_at IS NOT NULL))
        ORDER BY w.generation
        LIMIT 1
          FOR NO KEY UPDATE);

-- name: NewestUnderWay :one
SELECT id FROM deployments
 WHERE environment_id = $1 AND finished_at IS NULL AND status <> 'canceling'
 ORDER BY generation DESC LIMIT 1;

-- name: CancelWaiting :execrows
-- Nothing has been made for it that would have to be removed first.
UPDATE deployments
   SET status = 'canceled', step = NULL, finished_at = now(), cancel_requested_at = now(), retry_requested_at = NULL
 WHERE id = $1 AND status = 'queued' AND admitted_at IS NULL;

-- name: KeepWaiting :execrows
-- A retry that waits for its turn; the run is the one that is reset then.
UPDATE deployments SET run_id = $2 WHERE id = $1 AND status = 'queued' AND admitted_at IS NULL AND retry_requested_at IS NOT NULL;

-- name: Stranded :many
-- Environments in which nothing is under way and something waits: whoever ended the last one knew of no turns.
SELECT DISTINCT w.environment_id FROM deployments w
 WHERE w.finished_at IS NULL AND w.status = 'queued' AND w.admitted_at IS NULL
   AND NOT EXISTS (SELECT FROM deployments o WHERE o.environment_id = w.environment_id AND o.finished_at IS NULL
                                               AND (o.status <> 'queued' OR o.admitted_at IS NOT NULL));

-- name: LockEnvironmentByID :one
SELECT order_policy FROM environments WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: Due :many
-- Those whose turn came longer ago than the age, and whose workflow is still to be started or reset. With a deployment: those
-- of its environment.
SELECT * FROM deployment_details v
 WHERE v.finished_at IS NULL AND v.status = 'queued' AND v.admitted_at <= now() - @older_than::interval
   AND (v.run_id = '' OR v.retry_requested_at IS NOT NULL)
   AND (sqlc.narg('beside')::uuid IS NULL
        OR v.environment_id = (SELECT b.environment_id FROM deployments b WHERE b.id = sqlc.narg('beside')::uuid))
 ORDER BY v.admitted_at, v.id;
