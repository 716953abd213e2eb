-- name: EndOlder :exec
-- Older deployments of the environment for which no run has done anything end at once. A workflow of theirs that is just being
-- started finds the end in the row.
UPDATE deployments d
   SET status = 'superseded', superseded_by = n.id, step = NULL, finished_at = now(), retry_requested_at = NULL
  FROM deployments n
 WHERE n.id = $1 AND d.environment_id = n.environment_id AND d.generation < n.generation
   AND d.status = 'queued' AND (d.run_id = '' OR d.retry_requested_at IS NOT NULL);

-- name: CancelOlder :exec
-- The other older ones end when what they made is gone. One that is canceling already was canceled by somebody, and stays so.
UPDATE deployments d
   SET status = 'canceling', superseded_by = n.id, cancel_requested_at = now()
  FROM deployments n
 WHERE n.id = $1 AND d.environment_id = n.environment_id AND d.generation < n.generation
   AND d.status IN ('queued', 'fetching', 'planning', 'building', 'releasing');

-- name: CancelingFor :many
SELECT id FROM deployments WHERE superseded_by = $1 AND status = 'canceling' ORDER BY generation;
