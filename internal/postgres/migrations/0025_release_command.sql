-- What a project runs once in the new image before the app is started, and how long that may take.
ALTER TABLE projects ADD COLUMN release_command text NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN release_timeout_seconds integer NOT NULL DEFAULT 600;
-- How far the run that is named has come with it.
ALTER TABLE deployments ADD COLUMN release_run text NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN release_state text NOT NULL DEFAULT '' CHECK (release_state IN ('', 'begun', 'done'));
ALTER TABLE steps DROP CONSTRAINT steps_phase_check;
ALTER TABLE steps ADD CONSTRAINT steps_phase_check
    CHECK (phase IN ('', 'solve', 'push', 'pull', 'release_command', 'start', 'probe', 'switch', 'drain'));
