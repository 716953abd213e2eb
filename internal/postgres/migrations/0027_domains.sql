-- Host names of people's own that lead to what is live in an environment. Several environments may ask for the same name: whoever
-- shows first that it is theirs has it.
CREATE TABLE domains (
    environment_id uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    name           text        NOT NULL CHECK (name <> '' AND name = lower(name)),
    token          text        NOT NULL CHECK (token <> ''), -- what its TXT record has to hold
    created_at     timestamptz NOT NULL DEFAULT now(),
    checked_at     timestamptz,                              -- when DNS was asked last
    check_error    text        NOT NULL DEFAULT '',
    verified_at    timestamptz,                              -- null: it leads nowhere
    PRIMARY KEY (environment_id, name)
);
CREATE UNIQUE INDEX domains_verified ON domains (name) WHERE verified_at IS NOT NULL;

CREATE FUNCTION notify_domain_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_routes', OLD.name);
    RETURN NULL;
END $$;
CREATE TRIGGER notify_route AFTER DELETE OR UPDATE OF verified_at ON domains
    FOR EACH ROW EXECUTE FUNCTION notify_domain_route();

-- What changes the route of an environment's own host name changes those of its domains.
CREATE OR REPLACE FUNCTION notify_routes_of(deployment uuid) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('slipway_routes', host)
      FROM (SELECT d.preview_host AS host FROM deployments d WHERE d.id = deployment
            UNION ALL
            SELECT e.host FROM deployments d JOIN environments e ON e.id = d.environment_id WHERE d.id = deployment
            UNION ALL
            SELECT m.name FROM deployments d
              JOIN domains m ON m.environment_id = d.environment_id AND m.verified_at IS NOT NULL
             WHERE d.id = deployment) hosts
     WHERE host IS NOT NULL
$$;

-- What gateways with TLS share, by keys that are paths: certificates with their keys, accounts at CAs, challenges that CAs are to
-- find, and the installation's own CA. Keys are compared byte by byte, so that those below a path lie side by side.
CREATE TABLE tls_assets (
    key         text        COLLATE "C" PRIMARY KEY CHECK (key <> ''),
    value       bytea       NOT NULL, -- encrypted; the key is the associated data
    modified_at timestamptz NOT NULL DEFAULT now()
);

-- Who orders which certificate. A holder that is not heard of any more has lost its lock.
CREATE TABLE tls_locks (
    name       text        PRIMARY KEY CHECK (name <> ''),
    holder     text        NOT NULL,
    expires_at timestamptz NOT NULL
);
