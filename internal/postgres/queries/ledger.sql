-- name: Own :execrows
-- Nothing changes when another deployment owns the thing.
INSERT INTO resources AS r (kind, name, host, deployment_id, run_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, name, host) DO UPDATE SET run_id = excluded.run_id WHERE r.deployment_id = excluded.deployment_id;

-- name: Disown :exec
DELETE FROM resources WHERE kind = $1 AND name = $2 AND host = $3 AND deployment_id = $4;

-- name: Owned :many
SELECT * FROM resources
 WHERE deployment_id = @deployment_id AND (@host::text = '' OR host = @host) AND (cardinality(@kinds::text[]) = 0 OR kind = ANY (@kinds::text[]))
 ORDER BY created_at, kind, name;

-- name: OpenLeases :many
SELECT * FROM resources WHERE kind = 'lease' AND host = $1 ORDER BY created_at, name;
