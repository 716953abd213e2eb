-- What does not come up when it is started again is tried again: how often that has failed in a row, and when it is tried next.
ALTER TABLE preview_leases ADD COLUMN failed_starts integer NOT NULL DEFAULT 0 CHECK (failed_starts >= 0);
ALTER TABLE preview_leases ADD COLUMN next_start_at timestamptz; -- null: not unasked
