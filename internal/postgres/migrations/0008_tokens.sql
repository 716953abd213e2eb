-- Tokens get what the API shows of them: an id like everything else's, a name that is theirs alone, an end. Those that are there
-- get a UUIDv7 of the time they were made.

ALTER TABLE tokens DROP COLUMN id;
ALTER TABLE tokens ADD COLUMN id uuid, ADD COLUMN expires_at timestamptz CHECK (expires_at > created_at);

UPDATE tokens SET id = (lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0')
                        || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 3)
                        || substr(md5(random()::text), 1, 12))::uuid;
UPDATE tokens t SET name = name || '-' || right(id::text, 8)
 WHERE EXISTS (SELECT 1 FROM tokens o WHERE o.name = t.name AND o.id < t.id);

ALTER TABLE tokens ALTER COLUMN id SET NOT NULL;
ALTER TABLE tokens ADD PRIMARY KEY (id), ADD CONSTRAINT tokens_name UNIQUE (name);
