-- name: SealedBy :many
-- How many secrets there are under each key: what is sealed begins with its key.
SELECT substr(sealed, 1, @length::integer)::bytea AS key, count(*)::integer AS secrets
  FROM (SELECT value AS sealed FROM env_vars UNION ALL SELECT secret FROM git_credentials
        UNION ALL SELECT value FROM tls_assets) AS secrets
 GROUP BY 1;

-- name: EnvVarsUnderOthers :many
SELECT project_id, environment_id, name FROM env_vars WHERE substr(value, 1, octet_length(@key::bytea)) <> @key::bytea;

-- name: LockEnvVar :one
SELECT value FROM env_vars
 WHERE project_id = @project_id AND environment_id IS NOT DISTINCT FROM sqlc.narg('environment_id')::uuid AND name = @name
   FOR UPDATE;

-- name: ResealEnvVar :exec
UPDATE env_vars SET value = @value
 WHERE project_id = @project_id AND environment_id IS NOT DISTINCT FROM sqlc.narg('environment_id')::uuid AND name = @name;

-- name: GitCredentialsUnderOthers :many
SELECT project_id FROM git_credentials WHERE substr(secret, 1, octet_length(@key::bytea)) <> @key::bytea;

-- name: LockGitCredential :one
SELECT kind, origin, secret FROM git_credentials WHERE project_id = $1 FOR UPDATE;

-- name: ResealGitCredential :exec
UPDATE git_credentials SET secret = $2 WHERE project_id = $1;

-- name: AssetsUnderOthers :many
SELECT key FROM tls_assets WHERE substr(value, 1, octet_length(@key::bytea)) <> @key::bytea;

-- name: LockAsset :one
SELECT value FROM tls_assets WHERE key = $1 FOR UPDATE;

-- name: ResealAsset :exec
UPDATE tls_assets SET value = $2 WHERE key = $1;
