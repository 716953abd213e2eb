-- name: Gone :exec
-- The thing's row goes and, while its deployment is being canceled, becomes a line of the receipt: both or neither. A run,
-- when one is named, gives up only what no later run has taken over. A preview whose container is gone runs no more, whoever
-- has removed it: its workflow may have been terminated before it could say so. Of what is live who keeps the lease is told, and starts
-- it again if it is to run.
WITH gone AS (
    DELETE FROM resources r
     WHERE r.kind = @kind AND r.name = @name AND r.host = @host AND r.deployment_id = @deployment_id
       AND (@run_id::text = '' OR r.run_id = @run_id)
    RETURNING r.*
), stopped AS (
    UPDATE previews v SET state = CASE WHEN v.state = 'starting' AND d.status <> 'ready' THEN 'failed' ELSE 'stopped' END, updated_at = now()
      FROM gone g JOIN deployments d ON d.id = g.deployment_id
     WHERE g.kind = 'container' AND v.deployment_id = g.deployment_id AND v.container = g.name AND v.host = g.host
       AND v.state IN ('starting', 'live', 'asleep')
    RETURNING v.deployment_id
), told AS (
    UPDATE preview_leases l SET updated_at = now()
      FROM environments e JOIN stopped s ON s.deployment_id = e.live_deployment_id
     WHERE l.environment_id = e.id
)
INSERT INTO receipts (deployment_id, run_id, kind, name, host, took_ms)
SELECT g.deployment_id, g.run_id, g.kind, g.name, g.host, @took_ms::bigint
  FROM gone g JOIN deployments d ON d.id = g.deployment_id
 WHERE d.cancel_requested_at IS NOT NULL
ON CONFLICT DO NOTHING;

-- name: AddReceipt :exec
INSERT INTO receipts (deployment_id, run_id, kind, name, host, took_ms) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING;

-- name: Receipt :many
SELECT r.* FROM receipts r WHERE r.deployment_id = $1 ORDER BY r.gone_at, r.kind, r.name;
