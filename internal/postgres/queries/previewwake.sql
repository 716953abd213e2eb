-- name: RequestWake :exec
-- Once for each sleep, whoever asks: the row's trigger tells who keeps the lease.
INSERT INTO preview_leases AS l (environment_id, wake_requested_at)
SELECT e.id, now()
  FROM environments e
  JOIN previews v ON v.deployment_id = e.live_deployment_id AND v.state = 'asleep'
 WHERE e.id = $1 AND e.deleted_at IS NULL
    ON CONFLICT (environment_id) DO UPDATE
   SET wake_requested_at = excluded.wake_requested_at, updated_at = now()
 WHERE l.wake_requested_at IS NULL AND l.wanted = 'running' AND (l.pinned OR l.expires_at IS NULL OR l.expires_at > now());
