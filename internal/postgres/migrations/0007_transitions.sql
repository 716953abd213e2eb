-- Written by internal/postgres/gen from the table in internal/deployment/status.go; do not edit.

CREATE OR REPLACE FUNCTION deployment_may_become(old_status text, new_status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE old_status
        WHEN 'queued' THEN new_status IN ('fetching', 'releasing', 'canceling', 'canceled', 'failed', 'superseded')
        WHEN 'fetching' THEN new_status IN ('planning', 'queued', 'canceling', 'canceled', 'failed', 'superseded')
        WHEN 'planning' THEN new_status IN ('building', 'releasing', 'fetching', 'queued', 'canceling', 'canceled', 'failed', 'superseded')
        WHEN 'building' THEN new_status IN ('releasing', 'fetching', 'queued', 'canceling', 'canceled', 'failed', 'superseded')
        WHEN 'releasing' THEN new_status IN ('ready', 'queued', 'canceling', 'canceled', 'failed', 'superseded')
        WHEN 'canceling' THEN new_status IN ('canceled', 'superseded', 'failed')
        WHEN 'failed' THEN new_status IN ('queued')
        WHEN 'canceled' THEN new_status IN ('queued')
        ELSE false
    END
$$;

CREATE OR REPLACE FUNCTION keep_deployment_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT deployment_may_become(OLD.status, NEW.status) THEN
        RAISE EXCEPTION 'deployment %: status % cannot follow %', NEW.id, NEW.status, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deployments_status_order';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER keep_status BEFORE UPDATE OF status ON deployments
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION keep_deployment_status();
