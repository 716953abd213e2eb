//go:build !race

package devserver

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// clusterName is the name that temporalite and the `temporal` CLI give their only cluster.
const clusterName = "active"

// pragmas of every connection to the file. WAL halves the cost of a commit; full synchronisation keeps what was
// acknowledged over a loss of power too, so that Temporal never knows less than Postgres.
func pragmas() map[string]string {
	return map[string]string{"journal_mode": "wal", "synchronous": "full", "busy_timeout": "10000"}
}

// services maps each of the server's services to the endpoint it listens on.
type services map[primitives.ServiceName]endpoint

// placeServices puts the internal services on free ports of the frontend's host. They are chosen anew at each start, so
// that a killed server leaves no port behind that its successor needs.
func placeServices(frontend endpoint) (services, error) {
	placed := services{primitives.FrontendService: frontend}
	for _, name := range []primitives.ServiceName{
		primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
	} {
		// Listeners stay open until all are chosen: no two services get the same port.
		l, err := net.Listen("tcp", net.JoinHostPort(frontend.host, "0"))
		if err != nil {
			return nil, fmt.Errorf("choose a port for the %s service: %w", name, err)
		}
		defer func() { _ = l.Close() }()
		placed[name] = endpoint{host: frontend.host, port: l.Addr().(*net.TCPAddr).Port}
	}
	return placed, nil
}

// static returns the services as fixed members: one process needs no membership protocol, and so no ports for it.
func (s services) static() map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, e := range s {
		hosts[name] = static.SingleLocalHost(e.String())
	}
	return hosts
}

// serverConfig returns the server's static configuration.
func serverConfig(dataFile string, placed services) (*config.Config, error) {
	path, err := filepath.Abs(dataFile)
	if err != nil {
		return nil, err
	}
	frontend := placed[primitives.FrontendService].String()
	connect := pragmas()
	connect["mode"] = "rw" // migrate has made the file
	c := &config.Config{
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: 10 * time.Second}},
		Persistence: config.Persistence{
			DefaultStore:     sqliteplugin.PluginName,
			VisibilityStore:  sqliteplugin.PluginName,
			NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{sqliteplugin.PluginName: {SQL: &config.SQL{
				PluginName: sqliteplugin.PluginName,
				// The plugin puts the name into a file: URI as it is.
				DatabaseName:      (&url.URL{Path: path}).EscapedPath(),
				ConnectAttributes: connect,
			}}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: frontend},
		Services:     map[string]config.Service{},
	}
	for name, e := range placed {
		c.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: e.port, BindOnIP: e.host}}
	}
	return c, c.Validate()
}

// dynamicConfig returns what slipway sets beside the server's defaults. A cluster that serves slipway should set the first
// three as well (docs name them).
func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// Cancels are pushed to workers: about 25 ms instead of the next heartbeat.
		dynamicconfig.EnableCancelActivityWorkerCommand.Key(): true,
		dynamicconfig.WorkerCommandsEnabled.Key():             true,
		// Fairness between projects; its order is exact only within one partition.
		dynamicconfig.MatchingEnableFairness.Key():              true,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		// A search attribute or namespace that was just registered can be used at once.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.NamespaceCacheRefreshInterval.Key():           time.Second,
		// The Web UI and the reconciler list workflows more often than the default of 10 a second allows.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	}
}

// serviceNames lists the services that one process runs.
func serviceNames() []string { return temporal.DefaultServices }
