-- Below a key are those that go on with a slash; "0" follows the slash in order.

-- name: SaveAsset :exec
INSERT INTO tls_assets (key, value) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified_at = now();

-- name: Asset :one
SELECT value FROM tls_assets WHERE key = $1;

-- name: AssetInfo :one
SELECT octet_length(value)::bigint AS size, modified_at FROM tls_assets WHERE key = $1;

-- name: HasAsset :one
SELECT EXISTS (SELECT FROM tls_assets WHERE key = @key::text OR key > @key::text || '/' AND key < @key::text || '0');

-- name: DeleteAssets :exec
DELETE FROM tls_assets WHERE key = @key::text OR key > @key::text || '/' AND key < @key::text || '0';

-- name: AssetKeys :many
SELECT key FROM tls_assets WHERE @below::text = '' OR key > @below::text || '/' AND key < @below::text || '0' ORDER BY key;

-- name: TakeLock :execrows
INSERT INTO tls_locks (name, holder, expires_at) VALUES (@name, @holder, now() + @lease::interval)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
 WHERE tls_locks.holder = excluded.holder OR tls_locks.expires_at < now();

-- name: DropLock :exec
DELETE FROM tls_locks WHERE name = $1 AND holder = $2;
