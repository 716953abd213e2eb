-- name: RequestWake :exec
-- Once for each sleep, whoever asks: the row's trigger tells who keeps the lease. What did not come up and is to be tried again is tried
-- at once, but not for each visitor again: they would keep a busy machine busy.
INSERT INTO preview_leases AS l (environment_id, wake_requested_at)
SELECT e.id, now()
  FROM environments e
  JOIN previews v ON v.deployment_id = e.live_deployment_id
  LEFT JOIN preview_leases w ON w.environment_id = e.id
 WHERE e.id = @environment_id AND e.deleted_at IS NULL
   AND (v.state = 'asleep' OR v.state = 'failed' AND w.next_start_at IS NOT NULL AND v.updated_at <= now() - @pause::interval)
    ON CONFLICT (environment_id) DO UPDATE
   SET wake_requested_at = excluded.wake_requested_at, updated_at = now()
 WHERE l.wake_requested_at IS NULL AND l.wanted = 'running' AND (l.pinned OR l.expires_at IS NULL OR l.expires_at > now());
