-- name: MakeInstallation :exec
INSERT INTO installation (id) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: Installation :one
SELECT id FROM installation;
