-- name: SavePreviewSamples :many
-- The looks of one host, in one statement. The exit code of an end is seen only while the engine waits with the restart: it is kept
-- until the container is another one. A crash loop is over when the container is another one, or has run for five minutes. What it
-- returns are the previews that were in none at the look before.
WITH look AS (
    SELECT unnest(@deployment_ids::uuid[]) AS deployment_id, unnest(@cpu_cores::float8[]) AS cpu_cores,
           unnest(@memory_bytes::bigint[]) AS memory_bytes, unnest(@memory_limits::bigint[]) AS memory_limit,
           unnest(@pids::bigint[]) AS pids, unnest(@restarts::integer[]) AS restarts,
           unnest(@started_at::timestamptz[]) AS started_at, unnest(@exit_codes::integer[]) AS exit_code,
           unnest(@crash_looping::boolean[]) AS crash_looping
), former AS (
    SELECT s.deployment_id FROM preview_samples s WHERE s.deployment_id = ANY (@deployment_ids::uuid[]) AND s.crash_looping
), saved AS (
    INSERT INTO preview_samples AS s (deployment_id, sampled_at, cpu_cores, memory_bytes, memory_limit, pids, restarts, started_at, exit_code, crash_looping)
    SELECT k.deployment_id, now(), k.cpu_cores, k.memory_bytes, k.memory_limit, k.pids, k.restarts, nullif(k.started_at, '0001-01-01T00:00:00Z'), nullif(k.exit_code, -1), k.crash_looping
      FROM look k JOIN deployments d ON d.id = k.deployment_id
    ON CONFLICT (deployment_id) DO UPDATE
       SET sampled_at = excluded.sampled_at, cpu_cores = excluded.cpu_cores, memory_bytes = excluded.memory_bytes, memory_limit = excluded.memory_limit,
           pids = excluded.pids, restarts = excluded.restarts, started_at = excluded.started_at,
           crash_looping = excluded.crash_looping
                           OR s.crash_looping AND excluded.restarts >= s.restarts AND excluded.started_at > now() - interval '5 minutes',
           exit_code = CASE WHEN excluded.restarts < s.restarts THEN excluded.exit_code ELSE coalesce(excluded.exit_code, s.exit_code) END
    RETURNING s.deployment_id, s.crash_looping, s.restarts, s.exit_code
)
SELECT saved.deployment_id, saved.restarts, saved.exit_code FROM saved
 WHERE saved.crash_looping AND NOT EXISTS (SELECT FROM former WHERE former.deployment_id = saved.deployment_id)
 ORDER BY 1;
