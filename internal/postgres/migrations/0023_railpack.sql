-- A project may ask for Railpack.
ALTER TABLE projects DROP CONSTRAINT projects_builder_check;
ALTER TABLE projects ADD CONSTRAINT projects_builder_check CHECK (builder IN ('auto', 'nixpacks', 'dockerfile', 'static', 'railpack'));
