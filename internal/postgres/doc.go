// Package postgres is the adapter between slipway's words and Postgres: one Store for everything that people read and
// that survives a process, the migrations of its schema, and the guards that let one writer at a time decide.
//
// Order between deployments (numbers, generations, who is live) is decided here, in transactions that lock the row they
// decide about, always project before environment before deployment. Answers of the kind "not as things stand" are the
// sentinels of package deployment. Queries stand in queries/*.sql; sqlc writes the package db from them.
//
// Postgres itself notifies who waits: channel ChannelDeployment carries the id of a deployment whose status, step or log
// changed, ChannelRoutes a host name whose route may have changed.
package postgres
