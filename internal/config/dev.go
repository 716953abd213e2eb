package config

import (
	"fmt"
	"slices"
)

// Dev is the configuration of slipway-dev, the whole system on one machine.
type Dev struct {
	DataDir string // absolute once loaded; everything that slipway-dev keeps
	BinDir  string // of slipway-temporal and buildkitd; empty: beside slipway-dev

	Log       Log
	API       API
	Gateway   Gateway
	Leases    Leases
	Examples  Examples
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

// LoadDev reads the configuration of slipway-dev from the environment (NAME=value) and the file that it names. What is
// wrong is reported all at once, as Faults.
func LoadDev(environ []string) (Dev, error) { return loaded[Dev](environ) }

// section is a heading of the documentation with its keys.
type section struct {
	title string
	keys  []key
}

// LoadMachine reads every setting of a machine, whichever roles it has, with slipway-dev's defaults. Unlike slipway-dev's, its
// addresses need not be on loopback. It is for looking at a machine, not for running on it.
func LoadMachine(environ []string) (Dev, error) {
	m, err := loaded[machine](environ)
	return m.Dev, err
}

type machine struct{ Dev }

func (m *machine) keys() []key { return keysOf(m.sections(hostPort)) }

// sections lists every setting that there is: slipway-dev has them all. addr says which addresses may be listened on.
func (d *Dev) sections(addr addrCheck) []section {
	return []section{
		{"Files", []key{
			dataDirKey(&d.DataDir),
			{
				env: "SLIPWAY_BIN_DIR", path: "bin_dir", value: text(&d.BinDir),
				doc: "Folder of `slipway-temporal` and `buildkitd`; empty for the folder of slipway-dev itself.",
			},
		}},
		{"Log", d.Log.keys()},
		{"API", d.API.keys(addr)},
		{"Previews", slices.Concat(d.Gateway.keys(addr), d.Leases.keys())},
		{"Examples", d.Examples.keys(addr)},
		{"Postgres", d.Postgres.keys(optional(postgresURL))},
		{"Temporal", d.Temporal.keys(addr)},
		{"Registry", d.Registry.keys(addr)},
		{"Workers", d.Worker.keys()},
		{"Repositories", d.Git.keys()},
		{"Planning", d.Planner.keys()},
		{"BuildKit", d.BuildKit.keys(builders)},
		{"Docker", d.Docker.keys()},
		{"Retention", d.Retention.keys()},
		{"Operators", d.Telemetry.keys(opsAddrAPI, loopback)},
		{"Times", d.Timeouts.keys()},
	}
}

func (d *Dev) keys() []key { return keysOf(d.sections(loopback)) }

func keysOf(sections []section) []key {
	var keys []key
	for _, s := range sections {
		keys = append(keys, s.keys...)
	}
	return keys
}

// allKeys returns every key that a variable or the file may set.
func allKeys() []key { return new(Dev).keys() }

// check fills in what depends on several keys and reports what contradicts.
func (d *Dev) check() Faults {
	faults := slices.Concat(absolute(&d.DataDir), d.Gateway.settle(), d.Gateway.TLS.readSecrets(), d.Postgres.settle(), d.Temporal.check(), d.Worker.settle(d.DataDir),
		d.BuildKit.check(), d.Retention.check(d.Temporal), d.Timeouts.check(), d.Leases.check(d.Timeouts), d.addresses(), d.subnets())
	d.Postgres.keysIn(d.DataDir)
	if d.Temporal.UIURL == "" {
		d.Temporal.UIURL = "http://" + d.Temporal.UIAddr
	}
	if len(d.Temporal.CodecOrigins) == 0 {
		d.Temporal.CodecOrigins = []string{"http://" + d.Temporal.UIAddr}
	}
	d.Registry.settle()
	return faults
}

// Server is an address that slipway-dev listens on.
type Server struct {
	Key  string // variable that sets it
	Addr string // host:port
}

// Servers returns every address that slipway-dev listens on.
func (d *Dev) Servers() []Server {
	servers := []Server{
		{"SLIPWAY_API_ADDR", d.API.Addr},
		{"SLIPWAY_GATEWAY_ADDR", d.Gateway.Addr},
		{"SLIPWAY_TEMPORAL_ADDR", d.Temporal.Addr},
		{"SLIPWAY_UI_ADDR", d.Temporal.UIAddr},
		{"SLIPWAY_REGISTRY_ADDR", d.Registry.Addr},
	}
	if d.Gateway.TLS.On() {
		servers = append(servers, Server{"SLIPWAY_TLS_ADDR", d.Gateway.TLS.Addr})
	}
	if d.Telemetry.OpsAddr != "" {
		servers = append(servers, Server{"SLIPWAY_OPS_ADDR", d.Telemetry.OpsAddr})
	}
	if d.Examples.Dir != "" {
		servers = append(servers, Server{"SLIPWAY_EXAMPLES_ADDR", d.Examples.Addr})
	}
	return servers
}

// addresses reports two servers at one address.
func (d *Dev) addresses() Faults {
	taken := map[string]string{}
	var faults Faults
	for _, a := range d.Servers() {
		if other, ok := taken[a.Addr]; ok {
			faults = append(faults, Fault{
				Key: a.Key, Problem: fmt.Sprintf("%s is the address of %s too", a.Addr, other), Fix: "give each its own port",
			})
		}
		taken[a.Addr] = a.Key
	}
	return faults
}

// subnets reports builds and previews in one network.
func (d *Dev) subnets() Faults {
	if !d.BuildKit.Subnet.Overlaps(d.Docker.PreviewSubnets) {
		return nil
	}
	return Faults{{
		Key:     "SLIPWAY_BUILD_SUBNET",
		Problem: fmt.Sprintf("%s overlaps SLIPWAY_PREVIEW_SUBNETS, %s", d.BuildKit.Subnet, d.Docker.PreviewSubnets),
		Fix:     "give networks that share no address",
	}}
}
