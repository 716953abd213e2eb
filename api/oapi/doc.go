// Package oapi is the contract in Go: the types of api/openapi.yaml and the interface that package api implements. All
// of it but this file is generated; the generator has a module of its own (tools/oapi-codegen), so that its dependencies
// stay out of slipway's.
package oapi
