-- The estimated place of a deployment among all that wait for a build slot, null for one that has its slot already. Projects take
-- turns (ADR 25): the second of a project comes after the first of every other. Those who wait say so in their step
-- (AwaitSlot); one whose claim has just been taken has its lease before its next step begins.
CREATE FUNCTION build_place(deployment uuid) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT l.place
      FROM (SELECT w.id, row_number() OVER (ORDER BY w.turn, w.started_at, w.id)::integer AS place
              FROM (SELECT o.id, o.started_at,
                           row_number() OVER (PARTITION BY o.project_id ORDER BY o.started_at, o.id) AS turn
                      FROM deployments o
                     WHERE o.finished_at IS NULL AND o.status = 'queued' AND o.step ->> 'waiting_for' = 'a build slot'
                       AND NOT EXISTS (SELECT FROM resources r WHERE r.deployment_id = o.id AND r.kind = 'lease')) w) l
     WHERE l.id = deployment
$$;

CREATE OR REPLACE VIEW deployment_details AS
SELECT d.id, d.number, d.project_id, p.name AS project_name, d.environment_id, e.name AS environment, d.generation, d.status,
       d.ref_kind, d.ref_name, d.force, d.branch, d.commit, d.workflow_id, d.run_id, d.preview_host, coalesce(e.host, '')::text AS env_host,
       d.image, d.image_digest, d.failure, d.warnings, d.superseded_by, d.reused_from, d.step,
       d.created_at, d.started_at, d.ready_at, d.finished_at, d.cancel_requested_at, d.image_removed_at,
       d.admitted_at, d.retry_requested_at, coalesce(turn.waits_for, 0)::integer AS waits_for,
       coalesce(CASE WHEN d.status = 'queued' AND d.step ->> 'waiting_for' = 'a build slot' THEN build_place(d.id) ELSE turn.place END,
                0)::integer AS place
  FROM deployments d
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id
  LEFT JOIN LATERAL (
       SELECT (array_agg(o.number ORDER BY o.generation) FILTER (WHERE o.status <> 'queued' OR o.admitted_at IS NOT NULL))[1] AS waits_for,
              count(*) FILTER (WHERE o.status = 'queued' AND o.admitted_at IS NULL AND o.generation <= d.generation) AS place
         FROM deployments o
        WHERE o.environment_id = d.environment_id AND o.finished_at IS NULL AND d.status = 'queued' AND d.admitted_at IS NULL
  ) turn ON true;
