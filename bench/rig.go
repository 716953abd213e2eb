package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/isolation"
	"github.com/slipway-dev/slipway/internal/planner"
	"github.com/slipway-dev/slipway/internal/postgres/cluster"
	"github.com/slipway-dev/slipway/internal/testbed"
	"github.com/slipway-dev/slipway/temporal"
)

// rig is what both sides run on: slipway-dev on ports and in a data directory of its own, and with it the registry and the
// builder; the machine's Docker engine; and the programs that the bare pipeline calls.
type rig struct {
	root      string
	dev       testbed.Dev
	env       []string   // of slipway-dev in this run
	config    config.Dev // what slipway-dev was told
	overrides planner.Overrides
	buildctl  string
	path      string // PATH of the bare pipeline
	api       *client.ClientWithResponses
	token     string
	flows     sdkclient.Client
	commits   int
	log       io.Writer
}

// layOut makes an empty data directory: what is measured must not depend on the run before.
func layOut(log io.Writer) (r *rig, release func() error, err error) {
	cache, err := testbed.Cache()
	if err != nil {
		return nil, nil, err
	}
	root := filepath.Join(cache, "test", "bench")
	r = &rig{root: root, log: log, dev: testbed.Dev{Data: filepath.Join(root, "data")}}
	if err := os.MkdirAll(r.dev.Data, 0o755); err != nil {
		return nil, nil, err
	}
	lock := flock.New(filepath.Join(root, "lock"))
	if err := lock.Lock(); err != nil { // one bridge, one data directory
		return nil, nil, err
	}
	err = errors.Join(testbed.RemovePreviews(r.dev.Data), r.empty(), os.RemoveAll(r.dev.Data+".log"),
		os.MkdirAll(r.sources(), 0o755), os.MkdirAll(r.bare(), 0o755))
	if err == nil {
		err = r.settle(cache)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	return r, lock.Close, nil
}

// empty removes what a run before has left. Its folder run stays: it tells the next start which children to end.
func (r *rig) empty() error {
	entries, err := os.ReadDir(r.dev.Data)
	if err != nil {
		return err
	}
	stale := []string{r.sources(), r.bare()}
	for _, e := range entries {
		if e.Name() != "run" {
			stale = append(stale, filepath.Join(r.dev.Data, e.Name()))
		}
	}
	for _, path := range stale {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// settle chooses the settings of slipway-dev: those of the air-gapped profile, and every other one as it is by default.
func (r *rig) settle(cache string) error {
	ports, err := testbed.FreePorts(7)
	if err != nil {
		return err
	}
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	overrides, err := filepath.Abs("deploy/overrides/airgapped.yaml")
	if err != nil {
		return err
	}
	nixpacks := filepath.Join(cache, "bin", "nixpacks")
	r.dev.Binary, r.dev.API = filepath.Join(bin, "slipway-dev"), ports[0]
	r.env = append(testbed.WithoutSlipway(),
		"SLIPWAY_DATA_DIR="+r.dev.Data, "SLIPWAY_BIN_DIR="+bin, "SLIPWAY_API_ADDR="+ports[0], "SLIPWAY_GATEWAY_ADDR="+ports[1],
		"SLIPWAY_EXAMPLES_ADDR="+ports[2], "SLIPWAY_UI_ADDR="+ports[3], "SLIPWAY_TEMPORAL_ADDR="+ports[4],
		"SLIPWAY_REGISTRY_ADDR="+ports[5], "SLIPWAY_OPS_ADDR="+ports[6], "SLIPWAY_EXAMPLES_DIR="+r.sources(),
		"SLIPWAY_BUILD_BRIDGE=slipwaybe0", "SLIPWAY_BUILD_SUBNET=10.228.0.0/16", "SLIPWAY_PREVIEW_SUBNETS=10.229.0.0/16",
		"SLIPWAY_PLAN_OVERRIDES="+overrides, "SLIPWAY_DOCKER_MIRROR=true", "SLIPWAY_IMAGES_DIR="+filepath.Join(cache, "images"),
		"SLIPWAY_NIXPACKS="+nixpacks, "SLIPWAY_DRAIN_WAIT=1s", // after each measurement, which no visitor's request outlasts
	)
	r.dev.Env = r.env
	if r.config, err = config.LoadDev(r.env); err != nil {
		return err
	}
	if r.overrides, err = planner.LoadOverrides(overrides); err != nil {
		return err
	}
	if r.buildctl, err = testbed.Tool("buildctl", "buildctl"); err != nil {
		return err
	}
	r.path = strings.Join([]string{filepath.Dir(r.buildctl), filepath.Dir(nixpacks), os.Getenv("PATH")}, string(os.PathListSeparator))
	return nil
}

// start starts slipway-dev and its clients.
func (r *rig) start(ctx context.Context) error {
	fmt.Fprintln(r.log, "starting slipway-dev, which logs to", r.dev.Data+".log")
	begun := time.Now()
	if err := r.dev.Start(); err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(r.dev.Data, "admin.token"))
	if err != nil {
		return err
	}
	r.token = strings.TrimSpace(string(token))
	r.api, err = client.NewClientWithResponses("http://"+r.dev.API, client.WithRequestEditorFn(func(_ context.Context, q *http.Request) error {
		q.Header.Set("Authorization", "Bearer "+r.token)
		return nil
	}))
	if err != nil {
		return err
	}
	r.flows, err = sdkclient.DialContext(ctx, sdkclient.Options{HostPort: r.config.Temporal.Addr, Logger: quiet{}})
	if err != nil {
		return err
	}
	return r.awaitWorker(ctx, begun)
}

// awaitWorker waits until the worker polls: the last thing before is that it writes the reconciler's schedule. The API is ready
// earlier.
func (r *rig) awaitWorker(ctx context.Context, begun time.Time) error {
	schedule := r.flows.ScheduleClient().GetHandle(ctx, temporal.ReconcileScheduleID)
	return await(ctx, func() (bool, error) {
		described, err := schedule.Describe(ctx)
		if _, absent := errors.AsType[*serviceerror.NotFound](err); absent {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return described.Info.CreatedAt.After(begun) || described.Info.LastUpdateAt.After(begun), nil
	})
}

// stop ends slipway-dev and takes away what runs on the Docker engine.
func (r *rig) stop(ctx context.Context) error {
	if r.flows != nil {
		r.flows.Close()
	}
	return errors.Join(r.dev.Stop(), testbed.RemovePreviews(r.dev.Data), isolation.Previews{Pool: r.config.Docker.PreviewSubnets}.Remove(), r.sweep(ctx))
}

// restart starts slipway-dev again, with other settings than the run's.
func (r *rig) restart(ctx context.Context, settings ...string) error {
	r.flows.Close()
	if err := r.dev.Stop(); err != nil {
		return err
	}
	r.dev.Env = slices.Concat(r.env, settings)
	return r.start(ctx)
}

// sweep removes the containers of the bare pipeline and all images that were built here.
func (r *rig) sweep(ctx context.Context) error {
	const command = `docker ps -aq --filter label=slipway-bench | xargs -r docker rm --force --volumes
docker images --digests --format '{{.Repository}} {{.ID}}' | sed -nE 's/^127\.0\.0\.1:[0-9]+\/bench-\S+ //p' | sort -u | xargs -r docker rmi --force`
	_, err := r.run(ctx, "sh", "-ec", command)
	return err
}

// prune empties BuildKit's cache.
func (r *rig) prune(ctx context.Context) error {
	_, err := r.run(ctx, r.buildctl, "--addr", r.config.OwnBuildKit(), "prune", "--all")
	return err
}

func (r *rig) run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out)
	}
	return string(out), nil
}

// database opens slipway-dev's own Postgres.
func (r *rig) database(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, (&cluster.Cluster{SocketDir: r.config.PostgresSocketDir()}).DSN("slipway"))
}

// quiet is a logger for the Temporal client, whose connections end with slipway-dev.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
