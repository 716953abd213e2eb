package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/postgres/cluster"
	"github.com/slipway-dev/slipway/internal/registry"
)

func database(ctx context.Context, m Machine) Finding {
	if m.Config.Postgres.URL == "" {
		c, err := cluster.Find(m.Config.Postgres.BinDir, "", "")
		if err != nil {
			return failed("install the package postgresql (`make deps`), or name a server with SLIPWAY_DATABASE_URL", "%v", err)
		}
		return ok("slipway-dev runs %s", c.Path())
	}
	const fix = "see that SLIPWAY_DATABASE_URL is right and the server runs"
	settings, err := pgxpool.ParseConfig(m.Config.Postgres.URL) // as the store reads it: it may hold settings of a pool
	if err != nil {
		return failed(fix, "%v", err)
	}
	conn, err := pgx.ConnectConfig(ctx, settings.ConnConfig)
	if err != nil {
		return failed(fix, "%v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var number int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::integer").Scan(&number); err != nil {
		return failed("see the server's log", "%v", err)
	}
	at := fmt.Sprintf("version %d.%d at %s", number/10000, number%10000, net.JoinHostPort(conn.Config().Host, fmt.Sprint(conn.Config().Port)))
	if number < cluster.MinVersion*10000 {
		return failed(fmt.Sprintf("update it to version %d or newer", cluster.MinVersion), "%s is too old", at)
	}
	return ok("%s", at)
}

func temporalServer(ctx context.Context, m Machine) Finding {
	c := m.Config.Temporal
	if finding, away := absent(ctx, m, "Temporal", c.Addr, "see that SLIPWAY_TEMPORAL_ADDR is right and the frontend runs"); away {
		return finding
	}
	client, err := sdkclient.DialContext(ctx, sdkclient.Options{
		HostPort: c.Addr, Namespace: c.Namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return failed("see what listens there, and the frontend's log", "%s is not Temporal's frontend: %v", c.Addr, err)
	}
	defer client.Close()
	_, err = client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.Namespace})
	if err != nil {
		return failed("`slipway migrate` makes it; else correct SLIPWAY_TEMPORAL_NAMESPACE", "namespace %s at %s: %v", c.Namespace, c.Addr, err)
	}
	return ok("namespace %s at %s", c.Namespace, c.Addr)
}

// registries asks the registry itself, and has the Docker engine ask it: each may have a way of its own.
func registries(ctx context.Context, m Machine) []Finding {
	c := m.Config.Registry
	if finding, away := absent(ctx, m, "registry", c.PushHost, "see that SLIPWAY_REGISTRY_PUSH_HOST is right and the registry runs"); away {
		return []Finding{finding}
	}
	pushes := ok("%s answers", c.PushHost)
	if err := asRegistry(ctx, c.PushHost); err != nil {
		pushes = failed("see what listens there", "%v", err)
	}
	if _, err := docker.Look(ctx, m.Config.Docker.Host); err != nil {
		return []Finding{pushes, skipped("the Docker engine cannot be asked; see docker")}
	}
	if err := docker.ReachesRegistry(ctx, m.Config.Docker.Host, c.PullHost); err != nil {
		fix := "name the registry as the engine reaches it with SLIPWAY_REGISTRY_PULL_HOST; one without TLS beyond loopback stands in the engine's insecure-registries"
		return []Finding{pushes, failed(fix, "the Docker engine cannot pull from %s: %v", c.PullHost, err)}
	}
	return []Finding{pushes, ok("the Docker engine reaches %s", c.PullHost)}
}

// asRegistry asks over TLS, and on loopback, where registries have none, without.
func asRegistry(ctx context.Context, host string) error {
	scheme := "https"
	if onLoopback(host) {
		scheme = "http"
	}
	return registry.AnswersAnyone(ctx, scheme+"://"+host+"/v2/")
}

// absent reports whether nothing listens at an address. That is nothing to wonder at where slipway-dev would, and does not run.
func absent(ctx context.Context, m Machine, what, addr, fix string) (Finding, bool) {
	target := addr
	if _, _, err := net.SplitHostPort(addr); err != nil {
		target = net.JoinHostPort(addr, "443")
	}
	conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", target)
	if err == nil {
		conn.Close()
		return Finding{}, false
	}
	if errors.Is(err, syscall.ECONNREFUSED) && onLoopback(addr) && runningDev(ctx, m) == 0 {
		return skipped("%s: nothing listens at %s; slipway-dev serves it while it runs", what, addr), true
	}
	return failed(fix, "%s: %v", what, err), true
}

func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
