-- Which planner made a deployment's plan, and which one a build host has: a plan is taken over for another deployment only while
-- every build host would make it again. Empty for one that is not known.
ALTER TABLE deployments ADD COLUMN planner text NOT NULL DEFAULT '';
ALTER TABLE hosts ADD COLUMN planner text NOT NULL DEFAULT '';

CREATE INDEX deployments_built ON deployments (environment_id, commit, generation DESC) WHERE image_digest <> '' AND image_removed_at IS NULL;
