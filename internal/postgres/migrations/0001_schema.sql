-- What people read about projects, environments and deployments, and the ledger of what outlives an activity. The
-- invariants stand here, so that no writer can break them; 0002 adds the order of statuses, 0003 the notifications.

CREATE TABLE installation (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    id         text        NOT NULL CHECK (id ~ '^[0-9a-f]{12}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tokens (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL CHECK (name <> ''),
    hash         bytea       NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);

CREATE TABLE hosts (
    id           text        PRIMARY KEY CHECK (id <> ''),
    roles        text[]      NOT NULL,
    slots        integer     NOT NULL CHECK (slots >= 0),
    last_seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE projects (
    id                     uuid             PRIMARY KEY,
    name                   text             NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    repo_url               text             NOT NULL,
    root_dir               text             NOT NULL,
    builder                text             NOT NULL CHECK (builder IN ('auto', 'nixpacks', 'dockerfile', 'static')),
    install_command        text             NOT NULL,
    build_command          text             NOT NULL,
    start_command          text             NOT NULL,
    port                   integer          NOT NULL CHECK (port BETWEEN 0 AND 65535),
    health_path            text             NOT NULL,
    health_status          integer          NOT NULL,
    health_timeout_seconds integer          NOT NULL CHECK (health_timeout_seconds > 0),
    production_branch      text             NOT NULL,
    build_timeout_seconds  integer          NOT NULL CHECK (build_timeout_seconds > 0),
    cpus                   double precision NOT NULL CHECK (cpus > 0),
    memory_mb              integer          NOT NULL CHECK (memory_mb > 0),
    next_number            integer          NOT NULL DEFAULT 1,
    created_at             timestamptz      NOT NULL DEFAULT now(),
    updated_at             timestamptz      NOT NULL DEFAULT now(),
    deleted_at             timestamptz
);
-- A deleted project frees its name at once, although its rows stay until nothing of it is left.
CREATE UNIQUE INDEX projects_name ON projects (name) WHERE deleted_at IS NULL;

CREATE TABLE env_vars (
    project_id uuid  NOT NULL REFERENCES projects (id),
    name       text  NOT NULL CHECK (name <> ''),
    target     text  NOT NULL CHECK (target IN ('build', 'runtime', 'both')),
    value      bytea NOT NULL, -- encrypted; the project's id and the name are the associated data
    PRIMARY KEY (project_id, name)
);

CREATE TABLE environments (
    id                 uuid        PRIMARY KEY,
    project_id         uuid        NOT NULL REFERENCES projects (id),
    name               text        NOT NULL CHECK (name <> ''),
    kind               text        NOT NULL CHECK (kind IN ('production', 'branch', 'pull_request')),
    host               text        UNIQUE, -- null once the project is deleted, so that another may have it
    generation         bigint      NOT NULL CHECK (generation >= 0), -- of the newest deployment
    live_deployment_id uuid,
    created_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);

CREATE TABLE deployments (
    id                  uuid        PRIMARY KEY,
    project_id          uuid        NOT NULL REFERENCES projects (id),
    environment_id      uuid        NOT NULL REFERENCES environments (id),
    number              integer     NOT NULL CHECK (number > 0),
    generation          bigint      NOT NULL CHECK (generation > 0),
    status              text        NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'fetching', 'planning', 'building',
                                    'releasing', 'ready', 'canceling', 'failed', 'canceled', 'superseded')),
    ref_kind            text        NOT NULL CHECK (ref_kind IN ('', 'branch', 'tag', 'commit')),
    ref_name            text        NOT NULL,
    force               boolean     NOT NULL,
    branch              text        NOT NULL DEFAULT '',
    commit              text        NOT NULL DEFAULT '' CHECK (commit ~ '^([0-9a-f]{40})?$'),
    workflow_id         text        NOT NULL UNIQUE,
    run_id              text        NOT NULL DEFAULT '',
    preview_host        text        NOT NULL UNIQUE,
    idempotency_key     text,
    request_digest      bytea,
    plan                json,       -- json, not jsonb: the plan's digest is over these very bytes
    plan_digest         text        NOT NULL DEFAULT '',
    dockerfile          text        NOT NULL DEFAULT '',
    image               text        NOT NULL DEFAULT '',
    image_digest        text        NOT NULL DEFAULT '',
    failure             json,
    warnings            json,
    step                jsonb,
    superseded_by       uuid        REFERENCES deployments (id),
    reused_from         uuid,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    ready_at            timestamptz,
    finished_at         timestamptz,
    cancel_requested_at timestamptz,
    UNIQUE (project_id, number),
    UNIQUE (environment_id, generation),
    UNIQUE (project_id, idempotency_key),
    UNIQUE (id, environment_id),
    CHECK ((finished_at IS NOT NULL) = (status IN ('ready', 'failed', 'canceled', 'superseded'))),
    CHECK ((ready_at IS NOT NULL) = (status = 'ready')),
    CHECK (status <> 'canceling' OR cancel_requested_at IS NOT NULL),
    CHECK (failure IS NULL OR status = 'failed')
);
CREATE INDEX deployments_newest ON deployments (created_at DESC, id DESC);
CREATE INDEX deployments_of_project ON deployments (project_id, created_at DESC, id DESC);
CREATE INDEX deployments_under_way ON deployments (project_id) WHERE finished_at IS NULL;
CREATE INDEX deployments_superseded ON deployments (superseded_by) WHERE superseded_by IS NOT NULL; -- for the purge

-- What is live in an environment was deployed to it, and is one deployment at most.
ALTER TABLE environments ADD FOREIGN KEY (live_deployment_id, id) REFERENCES deployments (id, environment_id);

CREATE TABLE previews (
    deployment_id uuid        PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    host          text        NOT NULL,
    container_id  text        NOT NULL,
    container     text        NOT NULL,
    network       text        NOT NULL,
    address       text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('starting', 'live', 'asleep', 'stopped', 'failed')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'live' OR address <> '')
);
CREATE INDEX previews_on_host ON previews (host) WHERE state IN ('starting', 'live');

CREATE TABLE steps (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment_id uuid        NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    run_id        text        NOT NULL,
    step          text        NOT NULL CHECK (step IN ('resolve', 'fetch', 'plan', 'build', 'release')),
    phase         text        NOT NULL CHECK (phase IN ('', 'solve', 'push', 'pull', 'start', 'probe', 'switch', 'drain')),
    attempt       integer     NOT NULL CHECK (attempt > 0),
    host          text        NOT NULL,
    status        text        NOT NULL CHECK (status IN ('running', 'succeeded', 'reused', 'failed', 'canceled', 'lost')),
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    failure       json,
    UNIQUE (deployment_id, run_id, step, phase, attempt),
    CHECK ((finished_at IS NULL) = (status = 'running'))
);
-- A deploy does one thing at a time.
CREATE UNIQUE INDEX steps_one_running ON steps (deployment_id) WHERE status = 'running';

CREATE TABLE resources (
    kind          text        NOT NULL CHECK (kind <> ''),
    name          text        NOT NULL CHECK (name <> ''),
    host          text        NOT NULL,
    deployment_id uuid        NOT NULL REFERENCES deployments (id), -- no cascade: what is owned must be released first
    run_id        text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name, host)
);
CREATE INDEX resources_of_deployment ON resources (deployment_id);
CREATE INDEX resources_of_host ON resources (host, kind);

-- The last sequence number of each deployment's log. Writers lock the row, so that numbers have no gaps and become
-- visible in their order: a reader that saw n never misses a smaller one.
CREATE TABLE log_heads (
    deployment_id uuid   PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    seq           bigint NOT NULL CHECK (seq >= 0)
);

CREATE TABLE log_lines (
    deployment_id uuid        NOT NULL REFERENCES log_heads (deployment_id) ON DELETE CASCADE,
    seq           bigint      NOT NULL CHECK (seq > 0),
    time          timestamptz NOT NULL,
    step          text        NOT NULL,
    attempt       integer     NOT NULL,
    stream        text        NOT NULL,
    text          text        NOT NULL,
    PRIMARY KEY (deployment_id, seq)
);

-- A deployment as people read it, without what is large (plan and Dockerfile).
CREATE VIEW deployment_details AS
SELECT d.id, d.number, d.project_id, p.name AS project_name, d.environment_id, e.name AS environment, d.generation, d.status,
       d.ref_kind, d.ref_name, d.force, d.branch, d.commit, d.workflow_id, d.run_id, d.preview_host, coalesce(e.host, '')::text AS env_host,
       d.image, d.image_digest, d.failure, d.warnings, d.superseded_by, d.reused_from, d.step,
       d.created_at, d.started_at, d.ready_at, d.finished_at, d.cancel_requested_at
  FROM deployments d
  JOIN projects p ON p.id = d.project_id
  JOIN environments e ON e.id = d.environment_id;
