-- name: ExpiredDeployments :many
-- Deployments that are over for longer than the age and that nothing leads to any more: not the newest of their environment, nothing
-- in the ledger, no image that somebody may go back to, none whose image another runs. Their logs are removed already.
WITH targets AS (
    SELECT d.id, row_number() OVER (PARTITION BY d.environment_id ORDER BY d.generation DESC) AS place,
           row_number() OVER (PARTITION BY d.environment_id, d.image_digest ORDER BY d.generation DESC) AS of_image
      FROM deployments d
     WHERE d.status = 'ready' AND d.image_digest <> '' AND d.image_removed_at IS NULL
       AND (sqlc.narg('id')::uuid IS NULL
            OR d.environment_id = (SELECT l.environment_id FROM deployments l WHERE l.id = sqlc.narg('id')::uuid))
)
SELECT o.id, o.project_id
  FROM past_deployments o
 WHERE o.log_removed_at IS NOT NULL AND o.finished_at < now() - @age::interval AND o.past_since < now() - @age::interval
   AND (sqlc.narg('id')::uuid IS NULL OR o.id = sqlc.narg('id')::uuid)
   AND EXISTS (SELECT FROM deployments n WHERE n.environment_id = o.environment_id AND n.generation > o.generation)
   AND NOT EXISTS (SELECT FROM resources r WHERE r.deployment_id = o.id)
   AND NOT EXISTS (SELECT FROM deployments u WHERE u.reused_from = o.id)
   AND NOT EXISTS (SELECT FROM targets t WHERE t.id = o.id AND (t.place <= @keep::integer OR t.of_image = 1))
 ORDER BY o.finished_at, o.id
 LIMIT @max;

-- name: PassSupersessionOn :exec
-- What a deployment superseded was superseded by the next one too. What was live stays replaced in any case.
UPDATE deployments x
   SET superseded_by = coalesce(d.superseded_by, CASE WHEN x.status = 'ready' THEN e.live_deployment_id END)
  FROM deployments d JOIN environments e ON e.id = d.environment_id
 WHERE d.id = $1 AND x.superseded_by = d.id;

-- name: DeleteDeployment :exec
DELETE FROM deployments WHERE id = $1;
