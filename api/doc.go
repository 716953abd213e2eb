// Package api serves slipway's REST API: api/openapi.yaml is the contract, api/oapi its generated Go, and this package
// the implementation. New returns one http.Handler; cmd/ gives it a store, a log reader and the functions that start and
// cancel workflows, all behind the small interfaces of store.go.
//
// A request passes: access log → recovery → bearer token → validation against the contract → handler. What goes wrong
// anywhere becomes a problem document in one place, problem.go.
package api
