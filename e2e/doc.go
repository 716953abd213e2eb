// Package e2e runs a race-built slipway-dev in a process of its own, on ports and in a data directory of its own, and uses it as
// people do: through HTTP, the CLI, tctl and the Web UI. It holds tests only.
package e2e
