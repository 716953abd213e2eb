-- name: Own :execrows
-- Nothing changes when another deployment owns the thing.
INSERT INTO resources AS r (kind, name, host, deployment_id, run_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, name, host) DO UPDATE
   SET run_id = excluded.run_id, created_at = CASE WHEN r.kind = 'lease' THEN excluded.created_at ELSE r.created_at END
 WHERE r.deployment_id = excluded.deployment_id;

-- name: Disown :exec
-- A run, when one is named, gives up only what no later run has taken over.
DELETE FROM resources
 WHERE kind = @kind AND name = @name AND host = @host AND deployment_id = @deployment_id AND (@run_id::text = '' OR run_id = @run_id);

-- name: Owned :many
SELECT * FROM resources
 WHERE deployment_id = @deployment_id AND (@host::text = '' OR host = @host) AND (cardinality(@kinds::text[]) = 0 OR kind = ANY (@kinds::text[]))
 ORDER BY created_at, kind, name;

-- name: OpenLeases :many
SELECT * FROM resources WHERE kind = 'lease' AND host = $1 ORDER BY created_at, name;

-- name: LeasesBefore :many
SELECT * FROM resources WHERE kind = 'lease' AND host = @host AND created_at < now() - @age::interval ORDER BY created_at, name;

-- name: OwnedAs :many
-- Whichever hosts they name: two of them may share an engine or a disk.
SELECT * FROM resources WHERE kind IN ('base_image', 'container', 'network', 'workspace', 'lease') AND name = ANY (@names::text[]) ORDER BY kind, name, host;

-- name: NeededAs :many
-- Those things of these names that previews consist of which are to run, whether the ledger knows of them or not.
SELECT n.kind::text AS kind, n.name::text AS name, v.host, v.deployment_id, d.run_id
  FROM previews v
  JOIN deployments d ON d.id = v.deployment_id AND (d.status = 'ready' OR d.finished_at IS NULL)
  CROSS JOIN LATERAL (VALUES ('container', v.container), ('network', v.network)) AS n (kind, name)
 WHERE v.state IN ('starting', 'live', 'asleep') AND n.name = ANY (@names::text[])
 ORDER BY 1, 2;

-- name: PulledInVain :many
-- Digests of images of which every deployment has ended a while ago, and has no preview that is to run.
SELECT d.image_digest FROM deployments d
  LEFT JOIN previews v ON v.deployment_id = d.id AND v.state IN ('starting', 'live', 'asleep')
 WHERE d.image_digest = ANY (@digests::text[])
 GROUP BY d.image_digest
HAVING bool_and(v.deployment_id IS NULL AND coalesce(d.finished_at < now() - @age::interval, false))
 ORDER BY d.image_digest;

-- name: EndedAmong :many
SELECT id FROM deployments WHERE id = ANY (@ids::uuid[]) AND finished_at < now() - @age::interval ORDER BY id;

-- name: LeftOver :many
-- What a host still holds of previews, checkouts and build slots that nobody needs any more: of deployments that have ended
-- without becoming ready, that were replaced, or whose preview was stopped, has failed, or is on another host, in another container or on
-- another network; and what a run left that another has taken over from. The age leaves time to whoever is about to remove it in order. Of a
-- deployment that has ended without becoming ready nobody is: its workflow removes first and records the end then, and one that was
-- terminated removes nothing. There settled is enough, in which an activity sees that its workflow is gone. What is live and was stopped or
-- has failed just now is left to its lease for so long: that removes it in order, or starts it again. One that is being started may be
-- about to have another network than before.
SELECT r.* FROM resources r
  JOIN deployments d ON d.id = r.deployment_id
  JOIN environments e ON e.id = d.environment_id
  LEFT JOIN deployments l ON l.id = e.live_deployment_id
  LEFT JOIN previews v ON v.deployment_id = d.id
 WHERE r.host = @host AND r.kind IN ('base_image', 'container', 'network', 'workspace', 'lease')
   AND (d.status <> 'ready' AND d.finished_at < now() - @settled::interval
        OR d.finished_at < now() - @age::interval AND coalesce(l.ready_at, d.finished_at) < now() - @age::interval
        AND (r.kind IN ('base_image', 'workspace', 'lease') OR l.id IS DISTINCT FROM d.id OR v.host IS DISTINCT FROM r.host
             OR v.state IN ('stopped', 'failed') AND v.updated_at < now() - @settled::interval
             OR r.kind = 'container' AND v.container IS DISTINCT FROM r.name
             OR r.kind = 'network' AND v.network IS DISTINCT FROM r.name AND v.state <> 'starting')
        OR d.finished_at IS NULL AND d.started_at < now() - @age::interval AND r.run_id <> d.run_id)
 ORDER BY r.kind, r.name;

-- name: LockProjectOf :one
-- Of the deployment's project, whoever wants a build slot goes on alone: two hosts would count the same builds.
SELECT p.id FROM projects p JOIN deployments d ON d.project_id = p.id WHERE d.id = $1 FOR NO KEY UPDATE OF p;

-- name: HoldsLease :one
SELECT EXISTS (SELECT FROM resources WHERE deployment_id = $1 AND kind = 'lease') AS held;

-- name: ProjectBuilds :one
SELECT project_builds($1)::integer AS builds;

-- name: BuildTurn :one
SELECT turn::integer FROM build_line WHERE id = $1;
