-- A log is bounded: its first lines are kept, and its newest; what lay between goes, and one line, at the number of the last
-- that is gone, says so. What was written before this counts as first lines, whose size nobody knows.
ALTER TABLE log_heads
    ADD COLUMN head_to    bigint NOT NULL DEFAULT 0, -- the last of the first lines
    ADD COLUMN head_bytes bigint NOT NULL DEFAULT 0 CHECK (head_bytes >= 0),
    ADD COLUMN tail_bytes bigint NOT NULL DEFAULT 0 CHECK (tail_bytes >= 0), -- of the lines after them
    ADD COLUMN cut_to     bigint CHECK (cut_to > head_to AND cut_to <= seq), -- the line that says so; null when nothing is gone
    ADD COLUMN cut_lines  bigint NOT NULL DEFAULT 0 CHECK (cut_lines >= 0),
    ADD COLUMN cut_bytes  bigint NOT NULL DEFAULT 0 CHECK (cut_bytes >= 0),
    ADD CHECK (head_to >= 0 AND head_to <= seq);

UPDATE log_heads SET head_to = seq;
