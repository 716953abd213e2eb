//go:build !race

// Package devserver runs a whole Temporal server in one process: frontend, history, matching and worker services over one
// SQLite file, and the Web UI. slipway-dev and the tests use it through cmd/slipway-temporal, so that nothing but Go
// modules has to be installed; production uses a cluster.
//
// Run migrates the file before it starts the services, because the server itself never migrates SQLite, and reports ready
// only when the namespace, its retention and its search attributes are in place. The process may be killed at any moment:
// the file is in WAL mode and the internal services listen on ports that are chosen anew at each start.
//
// The package and its program are left out of race builds, where the server alone compiles for many minutes: tests start
// the program built without (devservertest).
package devserver
