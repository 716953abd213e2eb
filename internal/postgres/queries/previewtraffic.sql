-- name: AddTraffic :exec
-- In the order of the ids, so that gateways never wait for each other in a circle. What is gone is left out. Gateways say how long ago
-- something was: their clocks may differ, and what is idle is told by this one.
INSERT INTO preview_traffic AS t (environment_id, last_request_at, answered_1xx, answered_2xx, answered_3xx, answered_4xx, answered_5xx)
SELECT e.id, now() - make_interval(secs => s.ago), s.of_1xx, s.of_2xx, s.of_3xx, s.of_4xx, s.of_5xx
  FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@ago::float8[]) AS ago, unnest(@of_1xx::bigint[]) AS of_1xx, unnest(@of_2xx::bigint[]) AS of_2xx,
               unnest(@of_3xx::bigint[]) AS of_3xx, unnest(@of_4xx::bigint[]) AS of_4xx, unnest(@of_5xx::bigint[]) AS of_5xx) s
  JOIN environments e ON e.id = s.id
 ORDER BY e.id
    ON CONFLICT (environment_id) DO UPDATE
   SET last_request_at = greatest(t.last_request_at, excluded.last_request_at),
       answered_1xx = t.answered_1xx + excluded.answered_1xx, answered_2xx = t.answered_2xx + excluded.answered_2xx,
       answered_3xx = t.answered_3xx + excluded.answered_3xx, answered_4xx = t.answered_4xx + excluded.answered_4xx,
       answered_5xx = t.answered_5xx + excluded.answered_5xx;

-- name: VisitedNames :many
-- The names of environments that had a visitor lately, and their domains.
SELECT e.host::text AS name
  FROM environments e JOIN preview_traffic t ON t.environment_id = e.id
 WHERE e.deleted_at IS NULL AND t.last_request_at > now() - @within::interval
UNION ALL
SELECT m.name
  FROM domains m JOIN environments e ON e.id = m.environment_id JOIN preview_traffic t ON t.environment_id = e.id
 WHERE e.deleted_at IS NULL AND m.verified_at IS NOT NULL AND t.last_request_at > now() - @within::interval
 ORDER BY name;
