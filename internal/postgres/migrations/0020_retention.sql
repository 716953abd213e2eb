-- Old logs are removed, and old deployments after them. When a log was removed stands in its deployment; one that is retried
-- afterwards has a log again.
ALTER TABLE deployments ADD COLUMN log_removed_at timestamptz;

-- What has to be looked at: what has ended and has its log, and what has ended and is old. Both are read oldest first.
CREATE INDEX deployments_with_log ON deployments (finished_at, id) WHERE finished_at IS NOT NULL AND log_removed_at IS NULL;
CREATE INDEX deployments_without_log ON deployments (finished_at, id) WHERE finished_at IS NOT NULL AND log_removed_at IS NOT NULL;
CREATE INDEX deployments_reused ON deployments (reused_from) WHERE reused_from IS NOT NULL;

CREATE FUNCTION have_log_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.log_removed_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER begin_again_with_log BEFORE UPDATE OF finished_at ON deployments
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL) EXECUTE FUNCTION have_log_again();

-- What has ended and is not live, and since when nothing has become of it: since its end, or since its preview was stopped.
CREATE VIEW past_deployments AS
SELECT d.id, d.project_id, d.environment_id, d.generation, d.finished_at, d.log_removed_at, greatest(d.finished_at, v.updated_at)::timestamptz AS past_since
  FROM deployments d
  JOIN environments e ON e.id = d.environment_id AND e.deleted_at IS NULL AND e.live_deployment_id IS DISTINCT FROM d.id
  LEFT JOIN previews v ON v.deployment_id = d.id
 WHERE d.finished_at IS NOT NULL AND (v.state IS NULL OR v.state NOT IN ('starting', 'live', 'asleep'));

CREATE OR REPLACE VIEW deployment_details AS
SELECT d.id, d.number, d.project_id, p.name AS project_name, d.environment_id, e.name AS environment, d.generation, d.status,
       d.ref_kind, d.ref_name, d.force, d.branch, d.commit, d.workflow_id, d.run_id, d.preview_host, coalesce(e.host, '')::text AS env_host,
       d.image, d.image_digest, d.failure, d.warnings, d.superseded_by, d.reused_from, d.step,
       d.created_at, d.started_at, d.ready_at, d.finished_at, d.cancel_requested_at, d.image_removed_at,
       d.admitted_at, d.retry_requested_at, coalesce(turn.waits_for, 0)::integer AS waits_for,
       coalesce(CASE WHEN d.status = 'queued' AND d.step ->> 'waiting_for' = 'a build slot' THEN build_place(d.id) ELSE turn.place END,
                0)::integer AS place,
       coalesce(CASE WHEN d.status = 'queued' AND d.step ->> 'waiting_for' = 'a build slot' THEN build_wait(d.id) END, '')::text AS slot_wait,
       d.log_removed_at
  FROM deployments d
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id
  LEFT JOIN LATERAL (
       SELECT (array_agg(o.number ORDER BY o.generation) FILTER (WHERE o.status <> 'queued' OR o.admitted_at IS NOT NULL))[1] AS waits_for,
              count(*) FILTER (WHERE o.status = 'queued' AND o.admitted_at IS NULL AND o.generation <= d.generation) AS place
         FROM deployments o
        WHERE o.environment_id = d.environment_id AND o.finished_at IS NULL AND d.status = 'queued' AND d.admitted_at IS NULL
  ) turn ON true;
