-- name: BeginRun :exec
UPDATE deployments SET run_id = $2, started_at = coalesce(started_at, now()) WHERE id = $1;

-- name: SetCommit :exec
-- The first word stands: two attempts may have asked the remote at different moments.
UPDATE deployments SET commit = $2, branch = $3 WHERE id = $1 AND commit = '';

-- name: SetPlan :exec
UPDATE deployments SET plan = $2, plan_digest = $3, dockerfile = $4, warnings = $5 WHERE id = $1;

-- name: SetImage :exec
UPDATE deployments SET image = $2, image_digest = $3 WHERE id = $1;
