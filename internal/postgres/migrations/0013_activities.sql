-- The activity whose attempt a row is of. A run does a step in several activities when its host goes away: their attempts are
-- numbered one after the other, so that none takes another's row.
ALTER TABLE steps ADD COLUMN activity text NOT NULL DEFAULT '';
