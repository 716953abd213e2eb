-- What a cancel undid, one row a thing, written in the transaction in which the ledger gives the thing up: after somebody
-- has looked and not found it.
CREATE TABLE receipts (
    deployment_id uuid        NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    run_id        text        NOT NULL,
    kind          text        NOT NULL CHECK (kind <> ''),
    name          text        NOT NULL CHECK (name <> ''),
    host          text        NOT NULL,
    took_ms       bigint      NOT NULL CHECK (took_ms >= 0),
    gone_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (deployment_id, run_id, kind, name, host)
);
