-- Who waits is woken by the database itself, so that no writer can forget it. Payloads: on slipway_deployment the id of
-- the deployment whose status, step or log changed; on slipway_routes a host name whose route may have changed.

CREATE FUNCTION notify_deployment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_deployment', NEW.id::text);
    RETURN NULL;
END $$;

CREATE FUNCTION notify_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_deployment', NEW.deployment_id::text);
    RETURN NULL;
END $$;

CREATE FUNCTION notify_routes_of(deployment uuid) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('slipway_routes', host)
      FROM (SELECT d.preview_host AS host FROM deployments d WHERE d.id = deployment
            UNION ALL
            SELECT e.host FROM deployments d JOIN environments e ON e.id = d.environment_id WHERE d.id = deployment) hosts
     WHERE host IS NOT NULL
$$;

CREATE FUNCTION notify_deployment_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM notify_routes_of(NEW.id);
    RETURN NULL;
END $$;

CREATE FUNCTION notify_preview_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM notify_routes_of(NEW.deployment_id);
    RETURN NULL;
END $$;

CREATE FUNCTION notify_environment_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_routes', host) FROM (VALUES (OLD.host), (NEW.host)) hosts (host) WHERE host IS NOT NULL;
    -- The pages of the deployments that gain or lose the route name each other.
    PERFORM notify_routes_of(id) FROM (VALUES (OLD.live_deployment_id), (NEW.live_deployment_id)) live (id) WHERE id IS NOT NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER notify_changed AFTER UPDATE ON deployments
    FOR EACH ROW EXECUTE FUNCTION notify_deployment();
CREATE TRIGGER notify_changed AFTER INSERT OR UPDATE ON steps
    FOR EACH ROW EXECUTE FUNCTION notify_step();
CREATE TRIGGER notify_grown AFTER INSERT OR UPDATE ON log_heads
    FOR EACH ROW EXECUTE FUNCTION notify_step();
CREATE TRIGGER notify_route_made AFTER INSERT ON deployments
    FOR EACH ROW EXECUTE FUNCTION notify_deployment_route();
CREATE TRIGGER notify_route AFTER UPDATE OF status ON deployments
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION notify_deployment_route();
CREATE TRIGGER notify_route AFTER INSERT OR UPDATE ON previews
    FOR EACH ROW EXECUTE FUNCTION notify_preview_route();
CREATE TRIGGER notify_route AFTER UPDATE OF live_deployment_id, host ON environments
    FOR EACH ROW EXECUTE FUNCTION notify_environment_route();
