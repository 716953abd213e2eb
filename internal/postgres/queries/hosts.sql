-- name: SeenHost :exec
INSERT INTO hosts (id, roles, slots) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET roles = excluded.roles, slots = excluded.slots, last_seen_at = now();

-- name: LimitProjects :exec
UPDATE hosts SET project_slots = $2 WHERE id = $1;

-- name: HasPlanner :exec
UPDATE hosts SET planner = $2 WHERE id = $1;

-- name: CloseSlots :exec
UPDATE hosts SET slots_closed = $2 WHERE id = $1;

-- name: PreviewHost :one
SELECT h.id FROM hosts h
 WHERE 'preview' = ANY (h.roles) AND h.last_seen_at > now() - @within::interval
 ORDER BY (SELECT count(*) FROM previews v WHERE v.host = h.id AND v.state IN ('starting', 'live')), h.id
 LIMIT 1;
