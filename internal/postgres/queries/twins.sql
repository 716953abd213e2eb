-- name: Twin :one
-- The newest other deployment with an image of the same commit of the same branch for the same environment, planned from the same
-- input by the planner that every living build host has.
SELECT s.id
  FROM deployments d
  JOIN deployments s ON s.environment_id = d.environment_id AND s.commit = d.commit AND s.branch = d.branch AND s.id <> d.id
 WHERE d.id = @id AND s.plan_input = @plan_input AND s.image_digest <> '' AND s.image_input <> '' AND s.image_removed_at IS NULL
   AND s.planner <> ''
   AND s.planner = ALL (SELECT h.planner FROM hosts h WHERE 'build' = ANY (h.roles) AND h.last_seen_at > now() - interval '30 seconds')
 ORDER BY s.generation DESC
 LIMIT 1;

-- name: TakeOver :execrows
UPDATE deployments d
   SET plan = s.plan, plan_digest = s.plan_digest, plan_input = s.plan_input, planner = s.planner, dockerfile = s.dockerfile,
       warnings = @warnings, image = s.image, image_digest = s.image_digest, image_input = s.image_input, image_removed_at = NULL,
       build_figures = NULL
  FROM deployments s
 WHERE d.id = @id AND s.id = @twin::uuid AND s.environment_id = d.environment_id AND s.image_digest = @image_digest
   AND s.image_removed_at IS NULL;
