-- An environment is deleted as a project is: hidden at once, its name and host name free again, its rows kept until nothing
-- of it is left. A project's deletion hides its environments too.
ALTER TABLE environments ADD COLUMN deleted_at timestamptz;
UPDATE environments e SET deleted_at = p.deleted_at FROM projects p WHERE p.id = e.project_id AND p.deleted_at IS NOT NULL;
ALTER TABLE environments
    DROP CONSTRAINT environments_project_id_name_key,
    ADD UNIQUE (id, project_id),
    ADD CHECK (deleted_at IS NULL OR host IS NULL);
CREATE UNIQUE INDEX environments_name ON environments (project_id, name) WHERE deleted_at IS NULL;

-- A variable is the project's, or one environment's and then goes before the project's of that name. Encrypted, like that
-- one; its associated data names the environment besides.
ALTER TABLE env_vars
    DROP CONSTRAINT env_vars_pkey,
    ADD COLUMN environment_id uuid,
    ADD UNIQUE NULLS NOT DISTINCT (project_id, environment_id, name),
    ADD FOREIGN KEY (environment_id, project_id) REFERENCES environments (id, project_id) ON DELETE CASCADE;

-- An environment as people read it.
CREATE VIEW environment_details AS
SELECT e.id, e.project_id, p.name AS project_name, e.name, e.kind, coalesce(e.host, '')::text AS host, e.generation,
       e.live_deployment_id, coalesce(l.number, 0)::integer AS live_number, e.created_at
  FROM environments e
  JOIN projects p ON p.id = e.project_id
  LEFT JOIN deployments l ON l.id = e.live_deployment_id
 WHERE e.deleted_at IS NULL AND p.deleted_at IS NULL;

-- What runs in a deleted environment is served no longer, under its own names neither.
CREATE FUNCTION notify_environment_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_routes', d.preview_host) FROM deployments d
      JOIN previews v ON v.deployment_id = d.id AND v.state IN ('starting', 'live')
     WHERE d.environment_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER notify_deleted AFTER UPDATE OF deleted_at ON environments
    FOR EACH ROW EXECUTE FUNCTION notify_environment_deleted();

-- Nothing begins, or begins again, in an environment that is being torn down. A deletion that has not been committed is not
-- seen here; its teardown cancels what slipped in.
CREATE FUNCTION keep_out_of_deleted_environment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM environments WHERE id = NEW.environment_id AND deleted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'environment % is deleted', NEW.environment_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deployments_environment_stands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER begin_where_it_stands BEFORE INSERT ON deployments
    FOR EACH ROW EXECUTE FUNCTION keep_out_of_deleted_environment();
CREATE TRIGGER begin_again_where_it_stands BEFORE UPDATE OF finished_at ON deployments
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL) EXECUTE FUNCTION keep_out_of_deleted_environment();
