-- Images that nothing needs any more are given up: first here, in one transaction with the look at who needs them, so that no
-- rollback, promotion or retry begins with one; then their tags are deleted from the registry, and last the tags' rows.
ALTER TABLE deployments ADD COLUMN image_removed_at timestamptz;
ALTER TABLE resources ADD COLUMN removing_since timestamptz; -- a tag that is to go, whatever its deployment becomes meanwhile

-- The images that are kept: a few per environment, however many deployments there were.
CREATE INDEX deployments_with_image ON deployments (project_id, image_digest) WHERE image_digest <> '' AND image_removed_at IS NULL;
CREATE INDEX resources_going ON resources (removing_since) WHERE removing_since IS NOT NULL;

CREATE OR REPLACE VIEW deployment_details AS
SELECT d.id, d.number, d.project_id, p.name AS project_name, d.environment_id, e.name AS environment, d.generation, d.status,
       d.ref_kind, d.ref_name, d.force, d.branch, d.commit, d.workflow_id, d.run_id, d.preview_host, coalesce(e.host, '')::text AS env_host,
       d.image, d.image_digest, d.failure, d.warnings, d.superseded_by, d.reused_from, d.step,
       d.created_at, d.started_at, d.ready_at, d.finished_at, d.cancel_requested_at, d.image_removed_at
  FROM deployments d
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id;
