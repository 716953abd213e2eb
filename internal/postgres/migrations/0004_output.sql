-- How far the output of each preview's container stands in the log, by stream. Whoever appends its lines moves the cursor in
-- the same transaction, so that no line is lost or doubled by a restart, nor by two that follow the same container.

CREATE TABLE output_cursors (
    deployment_id uuid   NOT NULL REFERENCES log_heads (deployment_id) ON DELETE CASCADE,
    container     text   NOT NULL CHECK (container <> ''),
    stream        text   NOT NULL CHECK (stream <> ''),
    read_to       bigint NOT NULL, -- the engine's stamp of the last line, in nanoseconds since 1970: timestamptz would round it
    PRIMARY KEY (deployment_id, container, stream)
);
