package roles

import (
	"context"
	"net"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/ops"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/temporal"
)

// What the roles depend on, with what to do when it is away.

func postgresCheck(store *postgres.Store) ops.Check {
	return ops.Check{Name: "postgres", Ask: store.Ping, Fix: "check that Postgres runs and that SLIPWAY_DATABASE_URL leads to it"}
}

func schemaCheck(store *postgres.Store) ops.Check {
	return ops.Check{Name: "schema", Ask: store.Schema, Fix: "run `slipway migrate` of this release"}
}

func temporalCheck(client sdkclient.Client) ops.Check {
	return ops.Check{
		Name: "temporal", Ask: (&temporal.Deploys{Client: client}).Ping,
		Fix: "check that Temporal's frontend runs and that SLIPWAY_TEMPORAL_ADDR leads to it",
	}
}

// listenerCheck asks whether connections are taken.
func listenerCheck(name string, addr net.Addr) ops.Check {
	return ops.Check{Name: name, Fix: "restart the process", Ask: func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, addr.Network(), addr.String())
		if err != nil {
			return err
		}
		return conn.Close()
	}}
}

func (h *host) checks() []ops.Check {
	control := []ops.Check{postgresCheck(h.Store), schemaCheck(h.Store), temporalCheck(h.Client)}
	if h.c.Worker.ControlOnly {
		return control
	}
	return append(control, []ops.Check{
		{Name: "docker", Ask: h.engine.Ping, Fix: "check that the Docker engine runs and that SLIPWAY_DOCKER_HOST or DOCKER_HOST leads to it"},
		{Name: "buildkit", Ask: h.builder.Ping, Fix: "check that buildkitd runs and that SLIPWAY_BUILDKIT_ADDR leads to it; one that answers is enough"},
		{Name: "disk", Ask: func(context.Context) error { return h.closed() }, Fix: diskFix},
		{Name: "registry", Ask: h.images.Ping, Fix: "check that the registry runs and that SLIPWAY_REGISTRY_PUSH_HOST leads to it"},
	}...)
}
