-- name: LockEnvironmentOf :one
-- Whoever asks next to take the route of the environment, or to begin or end a deployment of it, waits here.
SELECT e.id, e.live_deployment_id, e.order_policy FROM environments e
 WHERE e.id = (SELECT d.environment_id FROM deployments d WHERE d.id = $1)
   FOR NO KEY UPDATE;

-- name: GenerationOf :one
SELECT generation FROM deployments WHERE id = $1;

-- name: SetLive :exec
UPDATE environments SET live_deployment_id = $2 WHERE id = $1;

-- name: Supersede :exec
UPDATE deployments SET superseded_by = $2 WHERE id = $1;

-- name: MarkReady :exec
UPDATE deployments SET status = 'ready', step = NULL, ready_at = now(), finished_at = now() WHERE id = $1;

-- name: SetPreview :exec
INSERT INTO previews (deployment_id, host, container_id, container, network, address, state)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (deployment_id) DO UPDATE
   SET host = excluded.host, container_id = excluded.container_id, container = excluded.container, network = excluded.network,
       address = excluded.address, state = excluded.state, updated_at = now();

-- name: SetPreviewState :execrows
UPDATE previews SET state = $2, updated_at = now() WHERE deployment_id = $1;

-- name: ReplacedPreviews :many
-- What was live in the environment of a ready deployment before it and still runs: also what an earlier switch left behind.
SELECT v.*
  FROM deployments d
  JOIN deployments former ON former.environment_id = d.environment_id AND former.generation < d.generation
  JOIN previews v ON v.deployment_id = former.id
 WHERE d.id = $1 AND d.status = 'ready' AND former.status = 'ready'
   AND v.state IN ('starting', 'live', 'asleep')
 ORDER BY former.generation;

-- name: LivePreviews :many
SELECT v.* FROM previews v
  JOIN deployments d ON d.id = v.deployment_id AND d.status = 'ready'
  JOIN environments e ON e.id = d.environment_id AND e.live_deployment_id = d.id AND e.deleted_at IS NULL
 WHERE v.state = 'live' AND (@host::text = '' OR v.host = @host)
 ORDER BY v.deployment_id;

-- name: PreviewsOn :many
-- Those that were replaced, too, until they are stopped: what an app says while it is drained is logged like the rest.
SELECT v.* FROM previews v WHERE v.host = $1 AND v.state = 'live' ORDER BY v.deployment_id;

-- name: ReplacedFor :one
-- Seconds since another deployment took the route from this one; no row when none did.
SELECT extract(epoch FROM now() - n.ready_at)::float8 AS seconds
  FROM deployments d JOIN deployments n ON n.id = d.superseded_by AND n.ready_at IS NOT NULL
 WHERE d.id = $1;

-- name: RouteTo :one
-- A deployment's own name wins over an environment's and its domains; those lead to what is live or, before anything was, to the newest.
WITH target AS (
    SELECT d.id, d.environment_id, false AS stable FROM deployments d WHERE d.preview_host = @hostname::text
    UNION ALL
    SELECT coalesce(e.live_deployment_id,
                    (SELECT n.id FROM deployments n WHERE n.environment_id = e.id ORDER BY n.generation DESC LIMIT 1)),
           e.id, true
      FROM environments e WHERE e.host = @hostname::text OR e.id = (SELECT m.environment_id FROM domains m WHERE m.name = @hostname::text AND m.verified_at IS NOT NULL)
)
SELECT d.id, d.number, d.status, d.failure, p.name AS project, e.id AS environment_id, e.name AS environment, t.stable,
       coalesce(v.state, '')::text AS state, coalesce(v.address, '')::text AS address, coalesce(l.id = d.id, false)::boolean AS live,
       coalesce(l.number, 0)::integer AS live_number, d.step, coalesce(w.wanted, '')::text AS wanted, w.failure AS lease_failure,
       w.expires_at, coalesce(NOT w.pinned AND w.expires_at <= now(), false)::boolean AS expired, w.next_start_at, v.updated_at AS since
  FROM target t
  JOIN deployments d ON d.id = t.id
  JOIN environments e ON e.id = t.environment_id AND e.deleted_at IS NULL
  JOIN projects p ON p.id = d.project_id
  LEFT JOIN previews v ON v.deployment_id = d.id
  LEFT JOIN deployments l ON l.id = e.live_deployment_id
  LEFT JOIN preview_leases w ON w.environment_id = e.id AND e.live_deployment_id = d.id
 ORDER BY t.stable
 LIMIT 1;

-- name: StandingRoutes :many
-- The host names and domains of every environment and, where one is live, of its deployment: what a gateway has to know before Postgres goes away.
SELECT h.host::text AS hostname, h.stable::boolean AS stable, p.name AS project, e.id AS environment_id, e.name AS environment,
       coalesce(d.id::text, '')::text AS id, coalesce(d.number, 0)::integer AS number, coalesce(v.state, '')::text AS state, coalesce(v.address, '')::text AS address,
       coalesce(extract(epoch FROM now() - d.ready_at), 0)::float8 AS live_seconds
  FROM environments e
  JOIN projects p ON p.id = e.project_id
  LEFT JOIN deployments d ON d.id = e.live_deployment_id
  LEFT JOIN previews v ON v.deployment_id = d.id
 CROSS JOIN LATERAL (VALUES (e.host, true), (d.preview_host, false)
                     UNION ALL
                     SELECT m.name, true FROM domains m WHERE m.environment_id = e.id AND m.verified_at IS NOT NULL) AS h (host, stable)
 WHERE e.deleted_at IS NULL AND h.host IS NOT NULL
 ORDER BY 1;
