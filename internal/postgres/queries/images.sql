-- name: ExpiredImages :many
-- Deployments that have ended and whose image, or tags without an image, nothing needs. An image is a digest in a project,
-- whoever built it. It is needed by what has not ended, what is live or has a preview, by an end that may be retried soon, and as
-- one of the last few that were live in an environment.
WITH shown AS (
    SELECT d.environment_id, d.image_digest, row_number() OVER (PARTITION BY d.environment_id ORDER BY max(d.generation) DESC) AS place
      FROM deployments d
     WHERE d.status = 'ready' AND d.image_digest <> '' AND d.image_removed_at IS NULL
     GROUP BY d.environment_id, d.image_digest
), needed AS (
    SELECT DISTINCT d.project_id, d.image_digest
      FROM deployments d
     WHERE d.image_digest <> '' AND d.image_removed_at IS NULL
       AND (d.finished_at IS NULL
            OR d.status <> 'ready' AND d.finished_at > now() - @age::interval
            OR EXISTS (SELECT FROM environments e WHERE e.live_deployment_id = d.id)
            OR EXISTS (SELECT FROM previews v WHERE v.deployment_id = d.id AND v.state IN ('starting', 'live', 'asleep'))
            OR EXISTS (SELECT FROM shown s WHERE s.environment_id = d.environment_id AND s.image_digest = d.image_digest AND s.place <= @keep::integer))
)
SELECT d.id, d.project_id
  FROM deployments d JOIN environments e ON e.id = d.environment_id
 WHERE d.image_digest <> '' AND d.image_removed_at IS NULL AND e.deleted_at IS NULL
   AND (sqlc.narg('project_id')::uuid IS NULL OR d.project_id = sqlc.narg('project_id')::uuid)
   AND NOT EXISTS (SELECT FROM needed n WHERE n.project_id = d.project_id AND n.image_digest = d.image_digest)
UNION
SELECT d.id, d.project_id
  FROM resources r JOIN deployments d ON d.id = r.deployment_id JOIN environments e ON e.id = d.environment_id
 WHERE r.kind = 'image_tag' AND r.removing_since IS NULL AND e.deleted_at IS NULL
   AND (sqlc.narg('project_id')::uuid IS NULL OR d.project_id = sqlc.narg('project_id')::uuid)
   AND (d.image_digest = '' OR d.image_removed_at IS NOT NULL) AND d.finished_at < now() - @age::interval
 ORDER BY 2, 1;

-- name: LockEnvironmentsOf :exec
SELECT id FROM environments WHERE project_id = $1 ORDER BY id FOR NO KEY UPDATE;

-- name: GiveUpImages :exec
UPDATE deployments SET image_removed_at = now() WHERE id = ANY (@ids::uuid[]) AND image_digest <> '' AND image_removed_at IS NULL;

-- name: GiveUpTags :execrows
UPDATE resources SET removing_since = now() WHERE kind = 'image_tag' AND removing_since IS NULL AND deployment_id = ANY (@ids::uuid[]);

-- name: GivenUpTags :many
SELECT * FROM resources WHERE removing_since IS NOT NULL ORDER BY removing_since, name LIMIT $1;

-- name: ImageWasRemoved :one
SELECT image_removed_at IS NOT NULL AS removed FROM deployments WHERE id = $1;

-- name: PassTagsOn :exec
-- Tags of an environment that is deleted go to the newest deployment elsewhere that has the same image, unless that has a tag there.
UPDATE resources r SET deployment_id = k.id
  FROM deployments d
  JOIN LATERAL (SELECT o.id
                  FROM deployments o JOIN environments e ON e.id = o.environment_id AND e.deleted_at IS NULL
                 WHERE o.project_id = d.project_id AND o.image_digest = d.image_digest AND o.image_removed_at IS NULL
                   AND o.environment_id <> d.environment_id
                 ORDER BY o.created_at DESC, o.id DESC
                 LIMIT 1) k ON true
 WHERE r.deployment_id = d.id AND r.kind = 'image_tag' AND r.removing_since IS NULL
   AND d.environment_id = $1 AND d.image_digest <> '' AND d.image_removed_at IS NULL
   AND NOT EXISTS (SELECT FROM resources t JOIN deployments o ON o.id = t.deployment_id JOIN environments e ON e.id = o.environment_id
                    WHERE t.kind = 'image_tag' AND t.removing_since IS NULL AND e.deleted_at IS NULL
                      AND o.project_id = d.project_id AND o.image_digest = d.image_digest AND o.environment_id <> d.environment_id);
