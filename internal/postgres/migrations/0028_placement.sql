-- How much memory a host could give when it was seen last, in bytes: previews go where there is most.
ALTER TABLE hosts ADD COLUMN free_memory bigint NOT NULL DEFAULT 0 CHECK (free_memory >= 0);
