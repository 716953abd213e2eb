-- name: CountDeployments :many
SELECT status, count(*)::integer AS n FROM deployments GROUP BY status;

-- name: CountPreviews :many
SELECT state, count(*)::integer AS n FROM previews GROUP BY state;

-- name: HostSlots :many
SELECT h.id, h.slots, h.slots_closed, (SELECT count(*) FROM resources r WHERE r.kind = 'lease' AND r.host = h.id)::integer AS used
  FROM hosts h
 WHERE 'build' = ANY (h.roles) AND h.last_seen_at > now() - @within::interval
 ORDER BY h.id;

-- name: OldestQueued :one
-- One that waits for an earlier deployment of its environment does not count.
SELECT coalesce(extract(epoch FROM now() - min(admitted_at)), 0)::float8 AS seconds
  FROM deployments WHERE finished_at IS NULL AND status = 'queued';
