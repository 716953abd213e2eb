-- A retry is asked for in the row first, and then made in Temporal: while the time stands here the second half is still to
-- be done, by whoever asked or, when that process died, by the reconciler.
ALTER TABLE deployments ADD COLUMN retry_requested_at timestamptz CHECK (retry_requested_at IS NULL OR finished_at IS NULL);

-- What a stored plan and a stored image were made of: a step of a retry uses them again only for the same input.
ALTER TABLE deployments ADD COLUMN plan_input text NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN image_input text NOT NULL DEFAULT '';
