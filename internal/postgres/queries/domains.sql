-- name: Domain :one
SELECT m.*, coalesce(e.host, '')::text AS environment_host
  FROM domains m JOIN environments e ON e.id = m.environment_id
 WHERE m.environment_id = $1 AND m.name = $2;

-- name: Domains :many
SELECT m.*, coalesce(e.host, '')::text AS environment_host
  FROM domains m JOIN environments e ON e.id = m.environment_id
 WHERE m.environment_id = $1 AND m.name > @after ORDER BY m.name LIMIT @max;

-- name: DomainIsTaken :one
SELECT EXISTS (SELECT FROM domains WHERE name = @name AND environment_id <> @environment_id AND verified_at IS NOT NULL);

-- name: AddDomain :execrows
INSERT INTO domains (environment_id, name, token) VALUES ($1, $2, $3) ON CONFLICT (environment_id, name) DO NOTHING;

-- name: DomainNotShown :execrows
UPDATE domains SET checked_at = now(), check_error = $3 WHERE environment_id = $1 AND name = $2 AND verified_at IS NULL;

-- name: VerifyDomain :execrows
-- Only by the token that was looked for: a domain may have been removed and added anew meanwhile.
UPDATE domains SET checked_at = now(), check_error = '', verified_at = coalesce(verified_at, now())
 WHERE environment_id = $1 AND name = $2 AND token = $3;

-- name: DeleteDomain :execrows
DELETE FROM domains WHERE environment_id = $1 AND name = $2;

-- name: FreeDomains :exec
-- Those of all environments that are deleted in a project: others may have the names at once.
DELETE FROM domains WHERE environment_id IN (SELECT id FROM environments WHERE project_id = $1 AND deleted_at IS NOT NULL);
