// Package chaos kills an installation's processes, one at a time, at every moment of a deploy, and checks that each deploy
// ends as it should and leaves nothing. Every part runs as a process of its own, as on a real installation. The hooks that
// hold a deploy at a moment all lie outside of slipway: in the git server, the planner's program, the registry, before the
// Docker engine and in a lock of Postgres. It holds tests only; `make chaos` runs the whole matrix.
package chaos
