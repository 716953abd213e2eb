-- How a project's repository becomes an image, beyond its commands: what is absent has its default.
ALTER TABLE projects ADD COLUMN build_settings json NOT NULL DEFAULT '{}';
