-- What bounds a preview beyond CPUs and memory, and what differs for environments that are not production: what is absent has its default.
ALTER TABLE projects ADD COLUMN limits json NOT NULL DEFAULT '{}';
ALTER TABLE projects ADD COLUMN preview_resources json NOT NULL DEFAULT '{}';
