-- name: SetGitCredential :exec
INSERT INTO git_credentials (project_id, kind, origin, username, fingerprint, known_hosts, secret)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (project_id) DO UPDATE
   SET kind = excluded.kind, origin = excluded.origin, username = excluded.username, fingerprint = excluded.fingerprint,
       known_hosts = excluded.known_hosts, secret = excluded.secret, updated_at = now();

-- name: GitCredential :one
SELECT kind, origin, username, fingerprint, known_hosts, secret, updated_at FROM git_credentials WHERE project_id = $1;

-- name: GitCredentialSummaries :many
SELECT project_id, kind, origin, username, fingerprint, updated_at FROM git_credentials WHERE project_id = ANY (@projects::uuid[]);

-- name: DeleteGitCredential :execrows
DELETE FROM git_credentials WHERE project_id = $1;

-- name: HostKey :one
SELECT line FROM git_host_keys WHERE host = $1;

-- name: PinHostKey :exec
-- The first key stands.
INSERT INTO git_host_keys (host, line) VALUES ($1, $2) ON CONFLICT (host) DO NOTHING;
