-- How many build slots of the installation a project may hold at a time, as the build host has it configured; 0 for no such bound.
ALTER TABLE hosts ADD COLUMN project_slots integer NOT NULL DEFAULT 0 CHECK (project_slots >= 0);

-- The bound of those build hosts that were seen lately: a project gets what the most generous of them lets it have.
CREATE FUNCTION project_slots() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN bool_or(h.project_slots = 0) THEN 0 ELSE coalesce(max(h.project_slots), 0) END
      FROM hosts h WHERE 'build' = ANY (h.roles) AND h.last_seen_at > now() - interval '30 seconds'
$$;

-- How many deployments of a project hold a build slot. What one that has ended holds still, on a host that is gone, is no build.
CREATE FUNCTION project_builds(project uuid) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT count(*)::integer FROM deployments d
     WHERE d.project_id = project AND d.finished_at IS NULL
       AND EXISTS (SELECT FROM resources r WHERE r.deployment_id = d.id AND r.kind = 'lease')
$$;

-- The deployments that wait for a build slot, each with its turn in its project. They say so in their step (AwaitSlot); one whose
-- claim has just been taken has its lease before its next step begins.
CREATE VIEW build_line AS
SELECT d.id, d.project_id, d.started_at,
       row_number() OVER (PARTITION BY d.project_id ORDER BY d.started_at, d.id)::integer AS turn
  FROM deployments d
 WHERE d.finished_at IS NULL AND d.status = 'queued' AND d.step ->> 'waiting_for' = 'a build slot'
   AND NOT EXISTS (SELECT FROM resources r WHERE r.deployment_id = d.id AND r.kind = 'lease');

-- The estimated place of a deployment in that line, null for one that is not in it. Projects take turns (ADR 25): the second of a
-- project comes after the first of every other; and whoever has to wait for its project's own builds comes after all others.
CREATE OR REPLACE FUNCTION build_place(deployment uuid) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT p.place
      FROM (SELECT l.id, row_number() OVER (ORDER BY b.most > 0 AND b.builds + l.turn > b.most, l.turn, l.started_at, l.id)::integer AS place
              FROM build_line l
              JOIN (SELECT f.project_id, project_builds(f.project_id) AS builds, project_slots() AS most
                      FROM build_line f WHERE f.turn = 1) b ON b.project_id = l.project_id) p
     WHERE p.id = deployment
$$;

-- What a deployment in that line waits for, in words; null for one that is not in it.
CREATE FUNCTION build_wait(deployment uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN w.builds >= w.most AND w.most > 0
                THEN format('the project''s other builds (%s of %s under way)', w.builds, w.most)
                ELSE 'a build slot' END
      FROM (SELECT project_builds(l.project_id) AS builds, project_slots() AS most FROM build_line l WHERE l.id = deployment) w
$$;

CREATE OR REPLACE VIEW deployment_details AS
SELECT d.id, d.number, d.project_id, p.name AS project_name, d.environment_id, e.name AS environment, d.generation, d.status,
       d.ref_kind, d.ref_name, d.force, d.branch, d.commit, d.workflow_id, d.run_id, d.preview_host, coalesce(e.host, '')::text AS env_host,
       d.image, d.image_digest, d.failure, d.warnings, d.superseded_by, d.reused_from, d.step,
       d.created_at, d.started_at, d.ready_at, d.finished_at, d.cancel_requested_at, d.image_removed_at,
       d.admitted_at, d.retry_requested_at, coalesce(turn.waits_for, 0)::integer AS waits_for,
       coalesce(CASE WHEN d.status = 'queued' AND d.step ->> 'waiting_for' = 'a build slot' THEN build_place(d.id) ELSE turn.place END,
                0)::integer AS place,
       coalesce(CASE WHEN d.status = 'queued' AND d.step ->> 'waiting_for' = 'a build slot' THEN build_wait(d.id) END, '')::text AS slot_wait
  FROM deployments d
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id
  LEFT JOIN LATERAL (
       SELECT (array_agg(o.number ORDER BY o.generation) FILTER (WHERE o.status <> 'queued' OR o.admitted_at IS NOT NULL))[1] AS waits_for,
              count(*) FILTER (WHERE o.status = 'queued' AND o.admitted_at IS NULL AND o.generation <= d.generation) AS place
         FROM deployments o
        WHERE o.environment_id = d.environment_id AND o.finished_at IS NULL AND d.status = 'queued' AND d.admitted_at IS NULL
  ) turn ON true;
