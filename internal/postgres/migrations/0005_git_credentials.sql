-- What opens a project's private repository. Whoever may not know it cannot read it here: the secret is encrypted.
CREATE TABLE git_credentials (
    project_id  uuid        PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    kind        text        NOT NULL CHECK (kind IN ('token', 'ssh_key')),
    origin      text        NOT NULL CHECK (origin <> ''),
    username    text        NOT NULL,
    fingerprint text        NOT NULL CHECK ((fingerprint <> '') = (kind = 'ssh_key')),
    known_hosts text        NOT NULL,
    secret      bytea       NOT NULL, -- encrypted; project, kind and origin are the associated data
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- Keys of SSH hosts that were accepted when they were first met, for the whole installation.
CREATE TABLE git_host_keys (
    host        text        PRIMARY KEY CHECK (host <> ''), -- host:port
    line        text        NOT NULL CHECK (line <> ''),    -- as in known_hosts
    accepted_at timestamptz NOT NULL DEFAULT now()
);
