-- name: SucceedSteps :exec
-- A run goes on to its next step only when the ones before it have succeeded, whether or not that could be recorded.
UPDATE steps SET status = 'succeeded', finished_at = @at
 WHERE deployment_id = @deployment_id AND run_id = @run_id AND step = ANY (@earlier::text[]) AND status = 'running';

-- name: LoseSteps :exec
UPDATE steps SET status = 'lost', finished_at = @at
 WHERE deployment_id = @deployment_id AND status = 'running';

-- name: EarlierAttempts :one
-- The highest number of an attempt at the step by other activities of the run, which were all before this one.
SELECT coalesce(max(attempt), 0)::integer AS n FROM steps
 WHERE deployment_id = $1 AND run_id = $2 AND step = $3 AND activity <> $4;

-- name: StartStep :exec
-- A row that stands already is the same attempt told again, or a phase that the attempt came back to.
INSERT INTO steps (deployment_id, run_id, step, phase, activity, attempt, host, status, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8)
ON CONFLICT (deployment_id, run_id, step, phase, attempt) DO UPDATE
   SET status = 'running', host = excluded.host, finished_at = NULL, failure = NULL;

-- name: EndStep :execrows
UPDATE steps SET status = @status, finished_at = @at, failure = @failure
 WHERE deployment_id = @deployment_id AND run_id = @run_id AND step = @step AND attempt = @attempt AND status = 'running';

-- name: EndSteps :exec
UPDATE steps SET status = $2, finished_at = now(), failure = $3 WHERE deployment_id = $1 AND status = 'running';

-- name: SetStepNow :exec
UPDATE deployments SET step = $2 WHERE id = $1;

-- name: UpdateStepNow :exec
-- Only while the deployment is still in that attempt: a late word of an older one changes nothing.
UPDATE deployments SET step = @now
 WHERE id = @id AND run_id = @run_id AND finished_at IS NULL
   AND step ->> 'name' = @step::text AND (step ->> 'attempt')::integer = @attempt::integer;

-- name: Steps :many
SELECT s.* FROM steps s WHERE s.deployment_id = $1 ORDER BY s.started_at, s.id;
