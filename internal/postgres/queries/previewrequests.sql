-- name: PreviewDetails :many
-- What is live in an environment, and what was replaced and still stands; the one that is asked for, however it stands. Lease
-- and traffic belong to what is live.
SELECT v.deployment_id, v.host, v.container_id, v.container, v.network, v.address, v.state, v.created_at, v.updated_at,
       d.number, d.project_id, p.name AS project, d.environment_id, e.name AS environment, e.kind, d.preview_host, d.ready_at,
       coalesce(e.host, '')::text AS env_host, coalesce(e.live_deployment_id::text, '')::text AS live_id, coalesce(n.number, 0)::integer AS live_number,
       l.wanted, l.pinned, l.expires_at, l.wake_requested_at, l.failure, l.next_start_at,
       t.last_request_at, t.answered_1xx, t.answered_2xx, t.answered_3xx, t.answered_4xx, t.answered_5xx,
       s.sampled_at, s.cpu_cores, s.memory_bytes, s.memory_limit, s.pids, s.restarts, s.started_at, s.exit_code, s.crash_looping,
       EXISTS (SELECT FROM resources r WHERE r.kind = 'container' AND r.deployment_id = v.deployment_id AND r.name = v.container)::boolean AS stands,
       now()::timestamptz AS read_at
  FROM previews v
  JOIN deployments d ON d.id = v.deployment_id
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id AND e.deleted_at IS NULL
  LEFT JOIN deployments n ON n.id = e.live_deployment_id
  LEFT JOIN preview_leases l ON l.environment_id = e.id AND e.live_deployment_id = d.id
  LEFT JOIN preview_traffic t ON t.environment_id = e.id AND e.live_deployment_id = d.id
  LEFT JOIN preview_samples s ON s.deployment_id = v.deployment_id
 WHERE (sqlc.narg('id')::uuid IS NULL OR v.deployment_id = sqlc.narg('id')::uuid)
   AND (sqlc.narg('id')::uuid IS NOT NULL OR e.live_deployment_id = d.id OR v.state IN ('starting', 'live', 'asleep'))
   AND (sqlc.narg('project_id')::uuid IS NULL OR d.project_id = sqlc.narg('project_id')::uuid)
   AND (sqlc.narg('environment_id')::uuid IS NULL OR e.id = sqlc.narg('environment_id')::uuid)
   AND (sqlc.narg('environment')::text IS NULL OR e.name = sqlc.narg('environment')::text)
   AND (sqlc.narg('state')::text IS NULL OR v.state = sqlc.narg('state')::text)
   AND v.deployment_id < @before_id::uuid
 ORDER BY v.deployment_id DESC
 LIMIT @max;

-- name: EnsureLease :exec
-- What is live has a lease; one that is missing has no end, like those of before there were leases.
INSERT INTO preview_leases (environment_id) VALUES ($1) ON CONFLICT (environment_id) DO NOTHING;

-- name: LockLease :one
SELECT l.pinned, l.expires_at, e.kind FROM preview_leases l JOIN environments e ON e.id = l.environment_id
 WHERE l.environment_id = $1 FOR UPDATE OF l;

-- name: StopPreview :exec
UPDATE preview_leases SET wanted = 'stopped', wake_requested_at = NULL, next_start_at = NULL, updated_at = now() WHERE environment_id = $1 AND wanted <> 'stopped';

-- name: StartPreview :exec
-- One whose time is over begins it anew; one that is asleep is asked to wake; one that could not be started is tried again, as often as at first.
UPDATE preview_leases l
   SET wanted = 'running', failure = NULL, failed_starts = 0, next_start_at = NULL, updated_at = now(),
       wake_requested_at = CASE WHEN v.state = 'asleep' THEN coalesce(l.wake_requested_at, now()) END,
       expires_at = CASE WHEN l.expires_at <= now() THEN CASE WHEN @ttl::interval > interval '0' THEN now() + @ttl::interval END ELSE l.expires_at END
  FROM previews v
 WHERE l.environment_id = @environment_id AND v.deployment_id = @deployment_id
   AND (l.wanted <> 'running' OR l.failure IS NOT NULL OR l.expires_at <= now() OR v.state IN ('stopped', 'failed')
        OR v.state = 'asleep' AND l.wake_requested_at IS NULL);

-- name: PinPreview :exec
-- What does not sleep is woken.
UPDATE preview_leases l
   SET pinned = true, expires_at = NULL, updated_at = now(),
       wake_requested_at = CASE WHEN v.state = 'asleep' THEN coalesce(l.wake_requested_at, now()) ELSE l.wake_requested_at END
  FROM previews v
 WHERE l.environment_id = @environment_id AND v.deployment_id = @deployment_id AND NOT l.pinned;

-- name: UnpinPreview :exec
UPDATE preview_leases l
   SET pinned = false, updated_at = now(), expires_at = CASE WHEN e.kind <> 'production' AND @ttl::interval > interval '0' THEN now() + @ttl::interval END
  FROM environments e
 WHERE l.environment_id = $1 AND e.id = l.environment_id AND l.pinned;

-- name: ExtendPreview :exec
UPDATE preview_leases SET expires_at = @until::timestamptz, updated_at = now() WHERE environment_id = @environment_id AND expires_at < @until::timestamptz;
