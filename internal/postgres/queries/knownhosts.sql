-- name: KnownHosts :many
-- Those that were seen, and those that rows name although they are forgotten or were never seen.
WITH named AS (
    SELECT id FROM hosts
    UNION SELECT host FROM resources WHERE host <> ''
    UNION SELECT host FROM previews WHERE state IN ('starting', 'live', 'asleep')
)
SELECT n.id, coalesce(h.roles, '{}')::text[] AS roles, coalesce(h.slots, 0)::integer AS slots, h.last_seen_at,
       coalesce(h.slots_closed, '')::text AS slots_closed, coalesce(h.free_memory, 0)::bigint AS free_memory,
       coalesce(h.last_seen_at > now() - @within::interval, false)::boolean AS alive,
       (SELECT count(*) FROM resources r WHERE r.kind = 'lease' AND r.host = n.id)::integer AS slots_used,
       (SELECT count(*) FROM previews v WHERE v.host = n.id AND v.state IN ('starting', 'live', 'asleep'))::integer AS previews,
       (SELECT count(*) FROM resources r WHERE r.host = n.id)::integer AS things
  FROM named n
  LEFT JOIN hosts h ON h.id = n.id
 ORDER BY n.id;

-- name: LockHost :one
-- Whoever notes that the host lives waits here, and makes a new row of it after it was deleted.
SELECT (last_seen_at > now() - @within::interval)::boolean AS alive FROM hosts WHERE id = $1 FOR UPDATE;

-- name: LiveOn :many
SELECT d.id, d.number, p.name AS project, e.name AS environment, d.commit, d.image_digest, d.image_removed_at
  FROM previews v
  JOIN deployments d ON d.id = v.deployment_id
  JOIN environments e ON e.live_deployment_id = d.id AND e.deleted_at IS NULL
  JOIN projects p ON p.id = d.project_id
 WHERE v.host = $1 AND v.state IN ('starting', 'live', 'asleep')
 ORDER BY p.name, e.name;

-- name: DisownHost :execrows
DELETE FROM resources WHERE host = @host::text AND host <> '';

-- name: LosePreviews :execrows
-- What lost its route before is stopped as ever; what is live has failed.
UPDATE previews v
   SET state = CASE WHEN EXISTS (SELECT FROM environments e WHERE e.live_deployment_id = v.deployment_id) OR v.state = 'starting'
                    THEN 'failed' ELSE 'stopped' END, updated_at = now()
 WHERE v.host = $1 AND v.state IN ('starting', 'live', 'asleep');

-- name: TellOfLoss :exec
-- Who keeps the leases of what was live on a host is told, and starts it elsewhere.
UPDATE preview_leases l SET updated_at = now()
  FROM environments e JOIN previews v ON v.deployment_id = e.live_deployment_id AND v.state = 'failed'
 WHERE l.environment_id = e.id AND v.host = $1;

-- name: ForgetHost :execrows
DELETE FROM hosts WHERE id = $1;
