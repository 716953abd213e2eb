-- When a deployment's turn came; null while it waits for an earlier one of its environment. Processes of an older slipway
-- know of no turns: what they store is admitted at once, and what they start begins out of turn, which nothing here forbids.
ALTER TABLE deployments ADD COLUMN admitted_at timestamptz DEFAULT now();

CREATE INDEX deployments_in_line ON deployments (environment_id, generation) WHERE finished_at IS NULL;

-- Of one that waits: the number of the deployment whose end it waits for, and its place among those that wait.
CREATE OR REPLACE VIEW deployment_details AS
SELECT d.id, d.number, d.project_id, p.name AS project_name, d.environment_id, e.name AS environment, d.generation, d.status,
       d.ref_kind, d.ref_name, d.force, d.branch, d.commit, d.workflow_id, d.run_id, d.preview_host, coalesce(e.host, '')::text AS env_host,
       d.image, d.image_digest, d.failure, d.warnings, d.superseded_by, d.reused_from, d.step,
       d.created_at, d.started_at, d.ready_at, d.finished_at, d.cancel_requested_at, d.image_removed_at,
       d.admitted_at, d.retry_requested_at,
       coalesce(turn.waits_for, 0)::integer AS waits_for, coalesce(turn.place, 0)::integer AS place
  FROM deployments d
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id
  LEFT JOIN LATERAL (
       SELECT (array_agg(o.number ORDER BY o.generation) FILTER (WHERE o.status <> 'queued' OR o.admitted_at IS NOT NULL))[1] AS waits_for,
              count(*) FILTER (WHERE o.status = 'queued' AND o.admitted_at IS NULL AND o.generation <= d.generation) AS place
         FROM deployments o
        WHERE o.environment_id = d.environment_id AND o.finished_at IS NULL AND d.status = 'queued' AND d.admitted_at IS NULL
  ) turn ON true;
