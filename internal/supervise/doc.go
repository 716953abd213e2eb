// Package supervise keeps child processes running: it starts them in order, restarts one that exits, stops them in reverse
// order within named budgets, and ends what a killed predecessor left behind. slipway-dev runs Postgres, buildkitd and the
// Temporal server under it. Linux only.
//
// A child is known by its owner file (run/<name>.json): pid, start time and boot, and a random mark in its environment that
// its descendants inherit. So a new supervisor finds exactly what the old one started, never a process that merely has the
// same name or was given the same pid. Children outlive a SIGKILL of their parent on purpose: a death signal follows the
// parent's thread, not its process, and would fire at the wrong moments in Go.
package supervise
