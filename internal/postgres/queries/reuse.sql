-- name: LiveBefore :one
-- The newest deployment that was live before the present one. What is live by a rollback stands where the deployment stood
-- that its image was built for, however many rollbacks ago, so that each of several in a row goes one further back.
WITH RECURSIVE stands AS (
    SELECT l.generation, l.reused_from FROM environments e JOIN deployments l ON l.id = e.live_deployment_id WHERE e.id = $1
    UNION ALL
    SELECT s.generation, s.reused_from FROM stands JOIN deployments s ON s.id = stands.reused_from AND s.environment_id = $1
)
SELECT d.id FROM deployments d
 WHERE d.environment_id = $1 AND d.status = 'ready' AND d.image_digest <> ''
   AND d.generation < (SELECT min(generation) FROM stands)
 ORDER BY d.generation DESC
 LIMIT 1;

-- name: ReuseImage :execrows
-- Only what has been live is reused: nobody has seen that anything else works.
UPDATE deployments d
   SET ref_kind = s.ref_kind, ref_name = s.ref_name, branch = s.branch, commit = s.commit, plan = s.plan,
       plan_digest = s.plan_digest, dockerfile = s.dockerfile, image = s.image, image_digest = s.image_digest,
       warnings = @warnings, reused_from = s.id
  FROM deployments s
 WHERE d.id = @id AND s.id = @source::uuid AND s.project_id = d.project_id AND s.status = 'ready' AND s.image_digest <> ''
   AND s.image_removed_at IS NULL;
