-- name: Canceling :many
SELECT * FROM deployment_details v WHERE v.finished_at IS NULL AND v.status = 'canceling' ORDER BY v.created_at, v.id;

-- name: UnderWay :many
-- Deployments that a run has begun, older than what a start takes.
SELECT * FROM deployment_details v
 WHERE v.finished_at IS NULL AND v.status <> 'canceling' AND v.run_id <> '' AND v.started_at < now() - @older_than::interval
 ORDER BY v.created_at, v.id;
