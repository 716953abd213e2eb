-- name: RenewPreviewLease :exec
-- What goes live has its whole time before it. Whoever has pinned the environment goes on.
INSERT INTO preview_leases AS l (environment_id, expires_at)
SELECT e.id, CASE WHEN e.kind <> 'production' AND @ttl::interval > interval '0' THEN now() + @ttl::interval END FROM environments e WHERE e.id = @environment_id
    ON CONFLICT (environment_id) DO UPDATE
   SET wanted = 'running', failure = NULL, failed_starts = 0, next_start_at = NULL, wake_requested_at = NULL, updated_at = now(),
       expires_at = CASE WHEN l.pinned THEN l.expires_at ELSE excluded.expires_at END;

-- name: StandingLeases :many
-- Of all environments in which something is live, or of one: what a decision about them goes by, as of one moment.
SELECT e.id AS environment_id, e.name AS environment, e.kind, p.name AS project, p.health_timeout_seconds, d.number,
       coalesce(l.wanted, 'running')::text AS wanted, coalesce(l.pinned, false)::boolean AS pinned, l.expires_at, l.wake_requested_at, l.failure,
       coalesce(l.failed_starts, 0)::integer AS failed_starts, l.next_start_at, sqlc.embed(v), t.last_request_at, h.last_seen_at, now()::timestamptz AS read_at,
       coalesce(h.last_seen_at > now() - @within::interval, false)::boolean AS host_lives,
       EXISTS (SELECT FROM hosts o WHERE o.id <> v.host AND 'preview' = ANY (o.roles) AND o.last_seen_at > now() - @within AND o.alive_since < now() - @within)::boolean AS another
  FROM environments e
  JOIN projects p ON p.id = e.project_id AND p.deleted_at IS NULL
  JOIN deployments d ON d.id = e.live_deployment_id
  JOIN previews v ON v.deployment_id = d.id
  LEFT JOIN preview_leases l ON l.environment_id = e.id
  LEFT JOIN preview_traffic t ON t.environment_id = e.id
  LEFT JOIN hosts h ON h.id = v.host
 WHERE e.deleted_at IS NULL AND (sqlc.narg('environment_id')::uuid IS NULL OR e.id = sqlc.narg('environment_id')::uuid)
 ORDER BY e.id;

-- name: FallAsleep :execrows
-- Only while it is live and nobody has asked for it for so long. A wake that was asked for before counts no more.
WITH asleep AS (
    UPDATE previews v SET state = 'asleep', updated_at = now()
      FROM environments e
      LEFT JOIN preview_leases l ON l.environment_id = e.id
      LEFT JOIN preview_traffic t ON t.environment_id = e.id
     WHERE v.deployment_id = @deployment_id AND e.live_deployment_id = v.deployment_id AND e.deleted_at IS NULL
       AND v.state = 'live' AND v.host = @host AND e.kind <> 'production'
       AND coalesce(l.wanted, 'running') = 'running' AND NOT coalesce(l.pinned, false)
       AND greatest(t.last_request_at, v.updated_at) <= now() - @idle::interval
    RETURNING e.id
), forgotten AS (
    UPDATE preview_leases l SET wake_requested_at = NULL FROM asleep a WHERE l.environment_id = a.id AND l.wake_requested_at IS NOT NULL
)
SELECT id FROM asleep;

-- name: StayAwake :execrows
-- Of one that has just fallen asleep and whose container runs still: somebody has asked for it since.
WITH awake AS (
    UPDATE previews v SET state = 'live', updated_at = now()
      FROM environments e
      LEFT JOIN preview_leases l ON l.environment_id = e.id
      LEFT JOIN preview_traffic t ON t.environment_id = e.id
     WHERE v.deployment_id = @deployment_id AND e.live_deployment_id = v.deployment_id AND v.state = 'asleep' AND v.host = @host
       AND coalesce(l.wanted, 'running') = 'running' AND (l.wake_requested_at IS NOT NULL OR t.last_request_at > v.updated_at)
    RETURNING e.id
), served AS (
    UPDATE preview_leases l SET wake_requested_at = NULL FROM awake a WHERE l.environment_id = a.id
)
SELECT id FROM awake;

-- name: AsleepAs :one
SELECT container FROM previews WHERE deployment_id = $1 AND host = $2 AND state = 'asleep';

-- name: PreviewsAsleep :many
SELECT v.* FROM previews v WHERE v.host = @host AND v.state = 'asleep' AND v.updated_at < now() - @age::interval ORDER BY v.deployment_id;

-- name: LockWhereLive :one
-- The environment in which a deployment is live: whoever replaces or deletes it waits, and so does a request that changes its lease.
SELECT id, kind FROM environments WHERE live_deployment_id = @deployment_id::uuid AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: LeaseWish :one
SELECT wanted = 'running' AS wanted, (NOT pinned AND coalesce(expires_at <= now(), false))::boolean AS ended,
       failed_starts, next_start_at, wake_requested_at, now()::timestamptz AS read_at
  FROM preview_leases WHERE environment_id = $1;

-- name: LockPreview :one
SELECT * FROM previews WHERE deployment_id = $1 FOR NO KEY UPDATE;

-- name: BeginStart :exec
-- On another host it has no address yet. It keeps the one that it had where its container may stand.
UPDATE previews
   SET state = 'starting', updated_at = now(), host = @host,
       container = CASE WHEN host = @host THEN container ELSE @container END, network = CASE WHEN host = @host THEN network ELSE @network END,
       address = CASE WHEN host = @host THEN address ELSE '' END, container_id = CASE WHEN host = @host THEN container_id ELSE '' END
 WHERE deployment_id = @deployment_id;

-- name: TimeBegins :exec
-- What is started after its end has its whole time before it again.
UPDATE preview_leases SET expires_at = CASE WHEN @ttl::interval > interval '0' THEN now() + @ttl::interval END
 WHERE environment_id = @environment_id AND NOT pinned AND expires_at <= now();

-- name: WakeServed :exec
UPDATE preview_leases SET wake_requested_at = NULL, failure = NULL, failed_starts = 0, next_start_at = NULL, updated_at = now()
 WHERE environment_id = @environment_id;

-- name: StartFailed :exec
UPDATE preview_leases
   SET wake_requested_at = NULL, failure = @failure::json, failed_starts = @failed_starts, next_start_at = sqlc.narg('next_start_at'), updated_at = now()
 WHERE environment_id = @environment_id;

-- name: StartTrouble :exec
UPDATE preview_leases l SET failure = @failure::json, updated_at = now()
  FROM environments e
 WHERE l.environment_id = e.id AND e.live_deployment_id = @deployment_id::uuid AND coalesce(l.failure::text, '') <> cast(@failure::json AS text);

-- name: LeaseStopped :exec
UPDATE preview_leases SET wanted = 'stopped', wake_requested_at = NULL, failure = NULL, failed_starts = 0, next_start_at = NULL, updated_at = now()
 WHERE environment_id = $1;

-- name: LosePreview :exec
-- Who keeps the lease is told, and starts it again.
WITH lost AS (
    UPDATE previews v SET state = 'failed', updated_at = now()
     WHERE v.deployment_id = @deployment_id AND v.state = 'live' AND v.host = @host
    RETURNING v.deployment_id
)
UPDATE preview_leases l SET updated_at = now()
  FROM environments e JOIN lost ON lost.deployment_id = e.live_deployment_id
 WHERE l.environment_id = e.id;

-- name: TouchLeases :exec
-- Of environments that are being deleted: who keeps them is told.
UPDATE preview_leases l SET updated_at = now()
  FROM environments e
 WHERE l.environment_id = e.id AND e.project_id = @project_id
   AND (sqlc.narg('environment_id')::uuid IS NULL OR e.id = sqlc.narg('environment_id')::uuid);
