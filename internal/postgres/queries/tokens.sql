-- name: CreateToken :one
INSERT INTO tokens (id, name, hash, expires_at) VALUES ($1, $2, $3, $4) RETURNING *;

-- name: HasTokens :one
SELECT EXISTS (SELECT 1 FROM tokens);

-- name: TokenByHash :one
SELECT sqlc.embed(tokens), (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')::boolean AS note
  FROM tokens WHERE hash = $1;

-- name: NoteTokenUse :exec
UPDATE tokens SET last_used_at = now() WHERE id = $1;

-- name: Tokens :many
SELECT * FROM tokens WHERE name > @after ORDER BY name LIMIT @max;

-- name: LockLastingTokens :many
-- In one order, so that two who revoke wait for one another and neither takes the last.
SELECT id FROM tokens WHERE expires_at IS NULL ORDER BY id FOR UPDATE;

-- name: DeleteToken :execrows
DELETE FROM tokens WHERE id = $1;

-- name: TokenByName :one
SELECT * FROM tokens WHERE name = $1 FOR UPDATE;

-- name: RenameToken :exec
UPDATE tokens SET name = $2 WHERE id = $1;
