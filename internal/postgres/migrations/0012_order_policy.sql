-- What happens to the deployments of an environment that have not ended when a newer one comes: they are superseded, or the
-- newer one waits for them.
ALTER TABLE environments ADD COLUMN order_policy text NOT NULL DEFAULT 'supersede' CHECK (order_policy IN ('supersede', 'queue'));

CREATE OR REPLACE VIEW environment_details AS
SELECT e.id, e.project_id, p.name AS project_name, e.name, e.kind, coalesce(e.host, '')::text AS host, e.generation,
       e.live_deployment_id, coalesce(l.number, 0)::integer AS live_number, e.created_at, e.order_policy
  FROM environments e
  JOIN projects p ON p.id = e.project_id
  LEFT JOIN deployments l ON l.id = e.live_deployment_id
 WHERE e.deleted_at IS NULL AND p.deleted_at IS NULL;
