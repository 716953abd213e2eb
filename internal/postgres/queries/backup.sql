-- name: KeptImages :many
-- Of what was live and can be reused: what runs, and what an environment can go back to.
SELECT p.name AS project, e.name AS environment, d.number, d.commit, d.image, d.image_digest,
       coalesce(e.live_deployment_id = d.id, false)::boolean AS live
  FROM deployments d
  JOIN environments e ON e.id = d.environment_id AND e.deleted_at IS NULL
  JOIN projects p ON p.id = d.project_id AND p.deleted_at IS NULL
 WHERE d.status = 'ready' AND d.image_digest <> '' AND d.image_removed_at IS NULL
 ORDER BY p.name, e.name, d.number DESC;

-- name: ForgetHeld :exec
-- What hosts hold is gone with them. Build slots are free in any case, and image tags are held by no host.
DELETE FROM resources WHERE kind = 'lease' OR host <> '' AND NOT @hosts_remain::boolean;

-- name: ForgetHosts :exec
DELETE FROM hosts;

-- name: StopPreviews :exec
UPDATE previews SET state = 'stopped', updated_at = now() WHERE state IN ('starting', 'live', 'asleep');

-- name: WasLive :many
SELECT e.project_id, e.name AS environment, e.live_deployment_id::uuid AS deployment_id
  FROM environments e JOIN projects p ON p.id = e.project_id AND p.deleted_at IS NULL
 WHERE e.live_deployment_id IS NOT NULL AND e.deleted_at IS NULL
 ORDER BY e.project_id, e.name;

-- name: NothingIsLive :exec
UPDATE environments SET live_deployment_id = NULL WHERE live_deployment_id IS NOT NULL;

-- name: NotEnded :many
SELECT id, status, superseded_by FROM deployments WHERE finished_at IS NULL ORDER BY environment_id, generation;

-- name: BringBack :exec
-- It runs what the source ran, which is live no more.
WITH replaced AS (
    UPDATE deployments SET superseded_by = @id WHERE id = @source::uuid
)
UPDATE deployments d
   SET ref_kind = s.ref_kind, ref_name = s.ref_name, branch = s.branch, commit = s.commit, plan = s.plan,
       plan_digest = s.plan_digest, dockerfile = s.dockerfile, image = s.image, image_digest = s.image_digest,
       warnings = s.warnings, reused_from = s.id
  FROM deployments s
 WHERE d.id = @id AND s.id = @source::uuid;

-- name: PutLast :exec
-- They come after what has been brought back, so that a retry of them is not of something older than what is live.
WITH last AS (
    SELECT d.id, d.environment_id, e.generation + row_number() OVER (PARTITION BY d.environment_id ORDER BY d.generation) AS generation
      FROM deployments d JOIN environments e ON e.id = d.environment_id
     WHERE d.id = ANY (@ids::uuid[])
), moved AS (
    UPDATE deployments d SET generation = l.generation FROM last l WHERE d.id = l.id
)
UPDATE environments e SET generation = n.generation
  FROM (SELECT l.environment_id, max(l.generation) AS generation FROM last l GROUP BY l.environment_id) n
 WHERE e.id = n.environment_id;
