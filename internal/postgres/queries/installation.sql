-- name: MakeInstallation :exec
INSERT INTO installation (id) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: Installation :one
SELECT id FROM installation;

-- name: CreateToken :exec
INSERT INTO tokens (name, hash) VALUES ($1, $2);

-- name: HasTokens :one
SELECT EXISTS (SELECT 1 FROM tokens);

-- name: Token :one
SELECT id, name, (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')::boolean AS note FROM tokens WHERE hash = $1;

-- name: NoteTokenUse :exec
UPDATE tokens SET last_used_at = now() WHERE id = $1;
