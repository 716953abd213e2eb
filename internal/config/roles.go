package config

import (
	"path/filepath"
	"slices"
)

// APIRole is the configuration of `slipway api`.
type APIRole struct {
	DataDir  string // absolute once loaded, likewise below
	Log      Log
	API      API
	Gateway  Gateway // how preview URLs look
	Leases   Leases
	Postgres Postgres
	Temporal Temporal
	Git      Git
	Timeouts Timeouts

	Telemetry Telemetry
}

// LoadAPI reads the configuration of `slipway api`; see LoadDev.
func LoadAPI(environ []string) (APIRole, error) { return loaded[APIRole](environ) }

func (r *APIRole) keys() []key {
	return slices.Concat([]key{dataDirKey(&r.DataDir)}, r.Log.keys(), r.API.keys(hostPort), r.Gateway.keys(hostPort), r.Leases.keys(),
		r.Postgres.keys(postgresURL), r.Temporal.keys(hostPort), r.Git.keys(), r.Timeouts.keys(),
		r.Telemetry.keys(opsAddrAPI, hostPort))
}

func (r *APIRole) check() Faults {
	faults := slices.Concat(absolute(&r.DataDir), r.Gateway.settle(), r.Postgres.settle(), r.Temporal.check(), r.Timeouts.check(), r.Leases.check(r.Timeouts))
	r.Postgres.keysIn(r.DataDir)
	return faults
}

// WorkerRole is the configuration of `slipway worker`.
type WorkerRole struct {
	DataDir   string
	Log       Log
	Gateway   Gateway // how preview URLs look
	Leases    Leases
	Postgres  Postgres
	Temporal  Temporal
	Registry  Registry
	Worker    Worker
	Git       Git
	Planner   Planner
	BuildKit  BuildKit
	Docker    Docker
	Retention Retention
	Timeouts  Timeouts

	Telemetry Telemetry
}

// LoadWorker reads the configuration of `slipway worker`; see LoadDev.
func LoadWorker(environ []string) (WorkerRole, error) { return loaded[WorkerRole](environ) }

func (r *WorkerRole) keys() []key {
	return slices.Concat([]key{dataDirKey(&r.DataDir)}, r.Log.keys(), r.Gateway.keys(hostPort), r.Leases.keys(), r.Postgres.keys(postgresURL),
		r.Temporal.keys(hostPort), r.Registry.keys(hostPort), r.Worker.keys(), r.Git.keys(), r.Planner.keys(),
		r.BuildKit.keys(someBuilders), r.Docker.keys(), r.Retention.keys(), r.Timeouts.keys(),
		r.Telemetry.keys(opsAddrWorker, hostPort))
}

func (r *WorkerRole) check() Faults {
	r.Registry.settle()
	faults := slices.Concat(absolute(&r.DataDir), r.Gateway.settle(), r.Postgres.settle(), r.Temporal.check(), r.Worker.settle(r.DataDir),
		r.BuildKit.check(), r.Retention.check(r.Temporal), r.Timeouts.check(), r.Leases.check(r.Timeouts))
	r.Postgres.keysIn(r.DataDir)
	return faults
}

// GatewayRole is the configuration of `slipway gateway`.
type GatewayRole struct {
	DataDir  string
	Log      Log
	Gateway  Gateway
	Postgres Postgres // without a keyset, unless certificates are issued: routes hold no secret
	Timeouts Timeouts

	Telemetry Telemetry
}

// LoadGateway reads the configuration of `slipway gateway`; see LoadDev.
func LoadGateway(environ []string) (GatewayRole, error) { return loaded[GatewayRole](environ) }

func (r *GatewayRole) keys() []key {
	return slices.Concat([]key{dataDirKey(&r.DataDir)}, r.Log.keys(), r.Gateway.keys(hostPort), r.Postgres.keys(postgresURL), r.Timeouts.keys(),
		r.Telemetry.keys(opsAddrGateway, hostPort))
}

func (r *GatewayRole) check() Faults {
	faults := slices.Concat(absolute(&r.DataDir), r.Gateway.settle(), r.Gateway.TLS.readSecrets(), r.Postgres.settle(), r.Timeouts.check())
	if !r.Gateway.TLS.Issues() {
		r.Postgres.Keyset, r.Postgres.KeysetKMS = "", ""
		return faults
	}
	r.Postgres.keysIn(r.DataDir)
	return faults
}

// MigrateRole is the configuration of `slipway migrate`, which prepares Postgres and the Temporal namespace.
type MigrateRole struct {
	DataDir  string
	Log      Log
	Postgres Postgres
	Temporal Temporal
}

// LoadMigrate reads the configuration of `slipway migrate`; see LoadDev.
func LoadMigrate(environ []string) (MigrateRole, error) { return loaded[MigrateRole](environ) }

func (r *MigrateRole) keys() []key {
	return slices.Concat([]key{dataDirKey(&r.DataDir)}, r.Log.keys(), r.Postgres.keys(postgresURL), r.Temporal.keys(hostPort))
}

func (r *MigrateRole) check() Faults {
	faults := slices.Concat(absolute(&r.DataDir), r.Postgres.settle(), r.Temporal.check())
	r.Postgres.keysIn(r.DataDir)
	return faults
}

// AdminTokenFile is where the first token of an installation is written.
func (r *MigrateRole) AdminTokenFile() string { return filepath.Join(r.DataDir, "admin.token") }
