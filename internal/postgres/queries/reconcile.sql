-- name: Canceling :many
SELECT * FROM deployment_details v WHERE v.finished_at IS NULL AND v.status = 'canceling' ORDER BY v.created_at, v.id;

-- name: UnderWay :many
-- Deployments that a run has begun, older than what a start takes.
SELECT * FROM deployment_details v
 WHERE v.finished_at IS NULL AND v.status <> 'canceling' AND v.run_id <> '' AND v.started_at < now() - @older_than::interval
 ORDER BY v.created_at, v.id;

-- name: Needless :many
-- Those of the runs that work for nothing. A deployment that is ready has what it replaced to drain still; one that has ended
-- under another run may be about to begin again under this one.
SELECT o.id::uuid AS id, o.run_id::text AS run_id
  FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@run_ids::text[]) AS run_id) o
  LEFT JOIN deployments d ON d.id = o.id
 WHERE d.id IS NULL OR d.status <> 'ready' AND d.run_id = o.run_id AND d.finished_at < now() - @age::interval
 ORDER BY 1;

-- name: Repositories :many
-- The images of a project are in the repository of its name.
SELECT name FROM projects WHERE deleted_at IS NULL ORDER BY random() LIMIT sqlc.narg('most')::integer;

-- name: StrayTags :many
-- What is deleted is left to its teardown.
SELECT t.name::text AS name, d.id, d.run_id
  FROM (SELECT unnest(@names::text[]) AS name, unnest(@ids::uuid[]) AS id) t
  JOIN deployments d ON d.id = t.id AND d.finished_at < now() - @age::interval
  JOIN environments e ON e.id = d.environment_id AND e.deleted_at IS NULL
 WHERE NOT EXISTS (SELECT FROM resources r WHERE r.kind IN ('image_tag', 'cache_tag') AND r.name = t.name)
 ORDER BY 1;

-- name: LostTags :many
-- No caches: those are pushed long after the end of their deployments.
-- Those that are being deleted lose their rows to whoever deletes them.
SELECT r.* FROM resources r
  JOIN deployments d ON d.id = r.deployment_id AND d.finished_at < now() - @age::interval
 WHERE r.kind = 'image_tag' AND r.removing_since IS NULL AND starts_with(r.name, @prefix::text) AND NOT r.name = ANY (@there::text[])
 ORDER BY r.name;
