-- name: SeenHost :exec
INSERT INTO hosts (id, roles, slots) VALUES (@id, @roles, @slots)
ON CONFLICT (id) DO UPDATE SET roles = excluded.roles, slots = excluded.slots, last_seen_at = now(),
   alive_since = CASE WHEN hosts.last_seen_at < now() - @within::interval THEN now() ELSE hosts.alive_since END;

-- name: LimitProjects :exec
UPDATE hosts SET project_slots = $2 WHERE id = $1;

-- name: HasPlanner :exec
UPDATE hosts SET planner = $2 WHERE id = $1;

-- name: CloseSlots :exec
UPDATE hosts SET slots_closed = $2 WHERE id = $1;

-- name: HasMemory :exec
UPDATE hosts SET free_memory = $2 WHERE id = $1;

-- name: PreviewHost :one
-- Where most memory is free. What is being started there has not taken its memory yet.
SELECT h.id FROM hosts h
 WHERE 'preview' = ANY (h.roles) AND h.last_seen_at > now() - @within::interval
 ORDER BY h.free_memory - (SELECT coalesce(sum(p.memory_mb), 0) * 1048576
                             FROM previews v
                             JOIN deployments d ON d.id = v.deployment_id
                             JOIN projects p ON p.id = d.project_id
                            WHERE v.host = h.id AND (v.state = 'starting' OR v.state = 'live' AND v.updated_at > h.last_seen_at)) DESC,
          (SELECT count(*) FROM previews v WHERE v.host = h.id AND v.state IN ('starting', 'live')), h.id
 LIMIT 1;
