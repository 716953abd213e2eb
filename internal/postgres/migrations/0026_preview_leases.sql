-- How long the live preview of an environment may run, and whether it is to. What it is about is environments.live_deployment_id.
CREATE TABLE preview_leases (
    environment_id    uuid        PRIMARY KEY REFERENCES environments (id) ON DELETE CASCADE,
    wanted            text        NOT NULL DEFAULT 'running' CHECK (wanted IN ('running', 'stopped')),
    pinned            boolean     NOT NULL DEFAULT false, -- it neither sleeps nor expires
    expires_at        timestamptz,                        -- null: never
    wake_requested_at timestamptz,                        -- by a visitor, since it fell asleep
    failure           json,                               -- why it could not be started again
    updated_at        timestamptz NOT NULL DEFAULT now()
);
-- What runs already has no end until it is deployed again.
INSERT INTO preview_leases (environment_id, wanted)
SELECT e.id, CASE WHEN v.state IN ('starting', 'live', 'asleep') THEN 'running' ELSE 'stopped' END
  FROM environments e LEFT JOIN previews v ON v.deployment_id = e.live_deployment_id
 WHERE e.live_deployment_id IS NOT NULL AND e.deleted_at IS NULL;

-- Requests that the gateways answered for an environment: each of them adds what it has seen every few seconds.
CREATE TABLE preview_traffic (
    environment_id  uuid        PRIMARY KEY REFERENCES environments (id) ON DELETE CASCADE,
    last_request_at timestamptz NOT NULL,
    answered_1xx    bigint      NOT NULL DEFAULT 0, -- upgrades
    answered_2xx    bigint      NOT NULL DEFAULT 0,
    answered_3xx    bigint      NOT NULL DEFAULT 0,
    answered_4xx    bigint      NOT NULL DEFAULT 0,
    answered_5xx    bigint      NOT NULL DEFAULT 0
);

-- Nobody has counted who visits what runs already: its idle time begins now.
INSERT INTO preview_traffic (environment_id, last_request_at) SELECT environment_id, now() FROM preview_leases;

-- The newest look of a host at the container of a preview.
CREATE TABLE preview_samples (
    deployment_id uuid             PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    sampled_at    timestamptz      NOT NULL,
    cpu_cores     double precision NOT NULL CHECK (cpu_cores >= 0), -- used, on average since the look before
    memory_bytes  bigint           NOT NULL,
    memory_limit  bigint           NOT NULL, -- 0 for none
    pids          bigint           NOT NULL,
    restarts      integer          NOT NULL, -- by the engine, since the container was made
    started_at    timestamptz,
    exit_code     integer,                    -- of the last end; null when it has not ended
    crash_looping boolean          NOT NULL DEFAULT false -- it was restarted again and again lately
);

-- Who keeps leases is woken by the database itself: the payload is the environment's id.
CREATE FUNCTION notify_preview_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_leases', NEW.environment_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER notify_lease AFTER INSERT OR UPDATE ON preview_leases
    FOR EACH ROW EXECUTE FUNCTION notify_preview_lease();
