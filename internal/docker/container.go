package docker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	logFiles   = 3 // that the output which the engine keeps is divided among: the oldest goes as a whole
	nanoPerCPU = 1e9
	bytesPerMB = 1 << 20
)

// create makes the container of s with a fixed address: the route keeps leading to it after the engine or the container
// is restarted.
func (e *Engine) create(ctx context.Context, s deployment.RunSpec, n bridge, address netip.Addr) (id string, err error) {
	networks := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		n.id: {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: address.String()}},
	}}
	return e.createWith(ctx, s, max(s.Resources.CPUs, e.options.StartCPUs), n, networks)
}

// createWith makes the container of s on a network, with an address of the engine's choosing where networks gives none.
func (e *Engine) createWith(ctx context.Context, s deployment.RunSpec, cpus float64, n bridge, networks *network.NetworkingConfig) (id string, err error) {
	labels, err := e.traefikLabels(ctx, s, n.name)
	if err != nil {
		return "", err
	}
	maps.Copy(labels, e.containerLabels(s))
	config := &container.Config{Image: s.Image, Env: environment(s), Entrypoint: s.Command, Labels: labels}
	if runtime := e.options.Runtime; runtime != "" && !slices.Contains(e.runtimes, runtime) {
		return "", deployment.PlatformFailure("release.no_runtime",
			"install the runtime on the preview host and name it in Docker's daemon.json, or correct SLIPWAY_PREVIEW_RUNTIME",
			"the Docker engine has no runtime %q; it has %s", runtime, strings.Join(e.runtimes, ", "))
	}
	host := hardened(s.Resources, e.cpus(cpus), n.id, e.options.Runtime)
	created, err := e.client.ContainerCreate(ctx, config, host, networks, nil, s.Name)
	if mentions(err, "storage-opt") || mentions(err, "storage opt") { // the storage driver, or the file system below it, has no quotas
		e.diskUnbounded.Store(true)
		host.StorageOpt = nil
		created, err = e.client.ContainerCreate(ctx, config, host, networks, nil, s.Name)
	}
	if err != nil {
		return "", err
	}
	for _, warning := range created.Warnings {
		e.log.WarnContext(ctx, "container created with a warning", "container", s.Name, "warning", warning)
	}
	return created.ID, nil
}

// cpus bounds a wish by what the host has: the engine refuses more.
func (e *Engine) cpus(wanted float64) float64 { return min(wanted, float64(e.hostCPUs)) }

// hardened is what a stranger's code gets: no capability, no way to gain one, no swap, bounded memory, CPU, processes, open files
// and logs, an init that reaps, and no port on the host. The engine's default seccomp profile stays on. It is not restarted, so
// that a crash during the probe is seen; KeepAlive changes that.
func hardened(r deployment.Resources, cpus float64, networkID, runtime string) *container.HostConfig {
	withInit, pids, memory := true, int64(r.PIDs), int64(r.MemoryMB)*bytesPerMB
	host := &container.HostConfig{
		Runtime:       runtime,
		NetworkMode:   container.NetworkMode(networkID),
		CapDrop:       []string{"ALL"},
		SecurityOpt:   []string{"no-new-privileges:true"},
		Init:          &withInit,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{
			"max-size": fmt.Sprintf("%dk", r.LogMB*1024/logFiles), "max-file": strconv.Itoa(logFiles),
		}},
		Resources: container.Resources{
			Memory: memory, MemorySwap: memory, NanoCPUs: int64(cpus * nanoPerCPU), PidsLimit: &pids,
		},
	}
	if files := int64(r.OpenFiles); files > 0 {
		host.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: files, Hard: files}}
	}
	if r.DiskMB > 0 {
		host.StorageOpt = map[string]string{"size": fmt.Sprintf("%dm", r.DiskMB)}
	}
	if r.ReadOnlyRoot {
		host.ReadonlyRootfs, host.Tmpfs = true, map[string]string{"/tmp": "rw,nosuid,nodev,mode=1777"} // its memory counts as the app's
	}
	return host
}

// environment returns the spec's variables, with PORT set to its port unless they set it.
func environment(s deployment.RunSpec) []string {
	if slices.ContainsFunc(s.Env, func(v string) bool { return strings.HasPrefix(v, "PORT=") }) {
		return s.Env
	}
	return append(slices.Clone(s.Env), "PORT="+strconv.Itoa(s.Port))
}

// stands reports whether a container that has the spec's name is the one that create would make.
func (e *Engine) stands(c container.InspectResponse, s deployment.RunSpec, n bridge) bool {
	if c.State.Paused || c.State.Dead || c.Config.Image != s.Image || !hasLabels(c.Config.Labels, e.containerLabels(s)) {
		return false
	}
	for _, v := range environment(s) {
		if !slices.Contains(c.Config.Env, v) {
			return false
		}
	}
	return c.HostConfig.Memory == int64(s.Resources.MemoryMB)*bytesPerMB && fixedAddress(c, n).IsValid()
}

// fixedAddress returns the address that the container was given on n, the zero Addr when it is not attached to n.
func fixedAddress(c container.InspectResponse, n bridge) netip.Addr {
	if c.HostConfig.NetworkMode != container.NetworkMode(n.id) {
		return netip.Addr{}
	}
	for _, endpoint := range c.NetworkSettings.Networks {
		if endpoint.IPAMConfig == nil {
			continue
		}
		if address, err := netip.ParseAddr(endpoint.IPAMConfig.IPv4Address); err == nil && n.subnet.Contains(address) {
			return address
		}
	}
	return netip.Addr{}
}

// onSecond reports whether the container is on another network that has n's name.
func onSecond(c container.InspectResponse, n bridge) bool {
	endpoint := c.NetworkSettings.Networks[n.name]
	return endpoint != nil && endpoint.NetworkID != n.id
}
