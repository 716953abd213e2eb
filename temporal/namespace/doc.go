// Package namespace prepares a Temporal namespace for slipway: the embedded server does it at every start, the tests for
// each namespace of their own, and an installation against a cluster once per upgrade.
package namespace
