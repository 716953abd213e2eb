-- Since when a host has not been silent. After an outage of Postgres all hosts were: none is given another's previews before each could speak.
ALTER TABLE hosts ADD COLUMN alive_since timestamptz NOT NULL DEFAULT now();
-- How much memory a host could give when it was seen last, in bytes: previews go where there is most.
ALTER TABLE hosts ADD COLUMN free_memory bigint NOT NULL DEFAULT 0 CHECK (free_memory >= 0);
