package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/testbed"
)

// quiet is a logger for a client that is expected to meet a server that is down.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func (i *installation) newProcess(name string, command func() *exec.Cmd, ready func(context.Context) error) *process {
	return &process{name: name, command: command, ready: ready, log: i.path("log/" + name + ".log")}
}

func (i *installation) postgres() *process {
	p := i.newProcess("postgres", func() *exec.Cmd {
		cmd := exec.Command(i.cluster.Path(), i.cluster.Args()...)
		cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: i.cluster.Account(), AmbientCaps: i.cluster.Capabilities()}
		return cmd
	}, func(ctx context.Context) error {
		return errors.Join(i.cluster.Ready(ctx), i.cluster.EnsureDatabase(ctx, "slipway"))
	})
	p.before = i.cluster.Init
	return p
}

func (i *installation) temporalServer() *process {
	return i.newProcess("temporal", func() *exec.Cmd {
		return exec.Command("../../bin/slipway-temporal", "--data", i.path("temporal.db"), "--addr", i.temporal)
	}, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		client, err := sdkclient.DialContext(ctx, sdkclient.Options{HostPort: i.temporal, Logger: quiet{}})
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = client.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
		return err
	})
}

func (i *installation) registryServer() *process {
	return i.newProcess("registry", func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(testbed.WithoutSlipway(), registryAt+"="+i.registry, registryDir+"="+i.path("registry"))
		return cmd
	}, func(ctx context.Context) error { return answers(ctx, "http://"+i.registry+"/v2/") })
}

func (i *installation) buildkitd() *process {
	p := i.newProcess("buildkitd", func() *exec.Cmd {
		binary, err := filepath.Abs("../../bin/buildkitd")
		if err != nil {
			panic(err) // there is a working directory
		}
		return i.daemon.Command(binary)
	}, func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", strings.TrimPrefix(i.daemon.Address, "unix://"))
		if err == nil {
			conn.Close()
		}
		return err
	})
	p.before = i.daemon.Sweep
	return p
}

// dockerEngine is an engine of the installation's own, so that it can be killed. It leaves the machine's packet filter alone,
// which belongs to the machine's engine: previews are reached by their bridge's addresses, which needs none. It shares that
// engine's bridge, which no container uses here: told to have none, it would delete it.
func (i *installation) dockerEngine() *process {
	return i.newProcess("dockerd", func() *exec.Cmd {
		return exec.Command("dockerd", "--host", i.dockerd, "--data-root", i.engineAt, "--exec-root", filepath.Join(i.engineAt, "run"),
			"--pidfile", i.path("dockerd.pid"), "--iptables=false", "--ip6tables=false", "--ip-masq=false")
	}, func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, "docker", "--host", i.dockerd, "version").CombinedOutput()
		if err != nil {
			return fmt.Errorf("docker version: %w: %s", err, out)
		}
		return nil
	})
}

func (i *installation) role(name string, n int) *process {
	return i.newProcess(name, func() *exec.Cmd {
		cmd := exec.Command(i.binary, name)
		cmd.Env = i.env(n)
		return cmd
	}, func(ctx context.Context) error {
		err := answers(ctx, "http://"+i.ops[n]+"/readyz")
		if err == nil && name == "api" { // operators are told before its own address is listened on
			err = answers(ctx, "http://"+i.api+"/readyz")
		}
		return err
	})
}

// env is the environment of the roles; each has an address of its own for operators.
func (i *installation) env(n int) []string {
	overrides, err := filepath.Abs("../../deploy/overrides/airgapped.yaml")
	if err != nil {
		panic(err) // there is a working directory
	}
	settings := append(testbed.WithoutSlipway(),
		"SLIPWAY_DATA_DIR="+i.path("data"), "SLIPWAY_HOST_ID="+hostID, "SLIPWAY_OPS_ADDR="+i.ops[n],
		"SLIPWAY_API_ADDR="+i.api, "SLIPWAY_GATEWAY_ADDR="+i.gateway, "SLIPWAY_TEMPORAL_ADDR="+i.temporal, "SLIPWAY_REGISTRY_ADDR="+i.registry,
		"SLIPWAY_DATABASE_URL=postgres://slipway@/slipway?host="+i.cluster.SocketDir,
		"SLIPWAY_BUILDKIT_ADDR="+i.daemon.Address, "SLIPWAY_DOCKER_HOST=unix://"+i.path("docker.sock"),
		"SLIPWAY_PREVIEW_SUBNETS="+previewSubnets, "SLIPWAY_BUILD_SLOTS=16", "SLIPWAY_MIN_FREE_DISK=100MB",
		"SLIPWAY_PLAN_OVERRIDES="+overrides, "SLIPWAY_NIXPACKS="+i.path("nixpacks"),
		"SLIPWAY_GIT_ALLOW_SCHEMES=http", "SLIPWAY_GIT_ALLOW_NETS=127.0.0.0/8",
		"SLIPWAY_HEARTBEAT_TIMEOUT=5s", "SLIPWAY_SCHEDULE_TO_START=20s", "SLIPWAY_RECONCILE_INTERVAL=2s", "SLIPWAY_STOP_WAIT=3s", "SLIPWAY_DRAIN_WAIT=1s",
		"SLIPWAY_LOG_FORMAT=json",
	)
	if *down < 10*time.Second { // a longer outage meets the retries that production has for it
		settings = append(settings, "SLIPWAY_RETRY_MAXIMUM=2s", "SLIPWAY_RETRY_ATTEMPTS=100")
	}
	return append(settings, i.settings...)
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// heldByFiles holds pushes of an image while hold/push.NAME is there, and Docker's pulls while hold/pull.NAME is. Of a push
// it is the manifest: buildkitd uploads four blobs at a time to a registry, and held ones would hold every other build.
func heldByFiles(next http.Handler, hold string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		what := ""
		switch {
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"):
			what = "push."
		case strings.HasPrefix(r.UserAgent(), "docker/"):
			what = "pull."
		}
		for what != "" && r.Context().Err() == nil {
			if _, err := os.Stat(filepath.Join(hold, what+name)); err != nil {
				break
			}
			_ = pause(r.Context(), tick)
		}
		next.ServeHTTP(w, r)
	})
}
