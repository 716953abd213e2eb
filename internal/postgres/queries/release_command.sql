-- name: ReleaseCommand :one
-- How far a run has come with the release command.
SELECT (CASE WHEN release_run = @run_id::text THEN release_state ELSE '' END)::text AS state FROM deployments WHERE id = @id;

-- name: SetReleaseCommand :exec
UPDATE deployments SET release_run = @run_id, release_state = @state WHERE id = @id;
