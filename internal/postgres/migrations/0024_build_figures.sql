-- What the build of a deployment's image did and what came of it: steps from cache, seconds by phase, layers. Null for an image that
-- the deployment did not build, and for one whose build nobody saw to its end.
ALTER TABLE deployments ADD COLUMN build_figures jsonb;
