-- name: BeginRun :exec
-- The present run's start counts. Whatever retry was asked for has been made by now.
UPDATE deployments
   SET run_id = @run_id, retry_requested_at = NULL, admitted_at = coalesce(admitted_at, now()),
       started_at = CASE WHEN finished_at IS NOT NULL THEN started_at
                         WHEN run_id IN ('', @run_id) THEN coalesce(started_at, now()) ELSE now() END
 WHERE id = @id;

-- name: GiveUpLeases :exec
-- Build slots that other runs of the deployment hold.
DELETE FROM resources WHERE deployment_id = @deployment_id AND kind = 'lease' AND run_id <> @run_id;

-- name: Requeue :exec
-- It waits until it is admitted.
UPDATE deployments
   SET status = 'queued', failure = NULL, step = NULL, started_at = NULL, finished_at = NULL, cancel_requested_at = NULL,
       retry_requested_at = now(), admitted_at = NULL
 WHERE id = $1;

-- name: Retryable :one
-- Deleted: with its environment or its project. Replaced: something newer is live in its environment, or on its way there
-- where that ends what is older.
SELECT e.deleted_at IS NOT NULL AS deleted,
       (coalesce(l.generation > d.generation, false)
        OR e.order_policy = 'supersede' AND EXISTS (
           SELECT FROM deployments n
            WHERE n.environment_id = e.id AND n.generation > d.generation AND n.finished_at IS NULL AND n.status <> 'canceling')
       )::boolean AS replaced
  FROM deployments d
  JOIN environments e ON e.id = d.environment_id
  LEFT JOIN deployments l ON l.id = e.live_deployment_id
 WHERE d.id = $1;

-- name: SetCommit :exec
-- The first word stands: two attempts may have asked the remote at different moments.
UPDATE deployments SET commit = $2, branch = $3 WHERE id = $1 AND commit = '';

-- name: SetPlan :exec
UPDATE deployments SET plan = $2, plan_digest = $3, dockerfile = $4, warnings = $5, plan_input = $6, planner = $7 WHERE id = $1;

-- name: AddWarning :exec
UPDATE deployments d SET warnings = (CASE WHEN json_typeof(warnings) = 'array' THEN warnings::jsonb ELSE '[]'::jsonb END || @warning::jsonb)::json
 WHERE d.id = @id
   AND (json_typeof(d.warnings) IS DISTINCT FROM 'array'
        OR NOT EXISTS (SELECT FROM json_array_elements(d.warnings) w WHERE w ->> 'code' = @code::text));

-- name: BaseRuns :one
-- Whether a preview that is to run stands on a base image.
SELECT EXISTS (
    SELECT FROM previews v JOIN deployments d ON d.id = v.deployment_id
     WHERE v.state IN ('starting', 'live', 'asleep') AND d.plan ->> 'base' = @base::text
) AS runs;

-- name: PlanBefore :one
SELECT o.plan FROM deployments d JOIN deployments o ON o.environment_id = d.environment_id
 WHERE d.id = $1 AND o.generation < d.generation AND o.status = 'ready' AND o.plan IS NOT NULL
 ORDER BY o.generation DESC
 LIMIT 1;

-- name: ImageBefore :one
SELECT o.id FROM deployments d JOIN deployments o ON o.environment_id = d.environment_id
 WHERE d.id = $1 AND o.generation < d.generation AND o.status = 'ready' AND o.image_digest <> '' AND o.image_removed_at IS NULL
 ORDER BY o.generation DESC
 LIMIT 1;

-- name: SetImage :exec
-- An image that was found to be there already keeps the figures of its build. Whoever has an image of its own runs no other's. What was to run another's was built because that is gone from the registry.
WITH gone AS (
    UPDATE deployments s SET image_removed_at = now()
      FROM deployments d WHERE d.id = @id AND s.id = d.reused_from AND s.image_digest <> @image_digest AND s.image_removed_at IS NULL
)
UPDATE deployments o SET image = @image, image_digest = @image_digest, image_input = @image_input, image_removed_at = NULL, reused_from = NULL,
       build_figures = coalesce(sqlc.narg('build_figures'), CASE WHEN o.image_digest = @image_digest THEN o.build_figures END)
 WHERE o.id = @id;
