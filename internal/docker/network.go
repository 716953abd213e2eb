package docker

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// NetworkName returns the name of a deployment's network on this host. Hosts that share an engine have one each.
func (e *Engine) NetworkName(deploymentID string) string {
	return "slipway-" + e.options.Installation + "-" + deploymentID + "-" + deployment.Mark(e.options.HostID)
}

// bridge is a deployment's network as it stands.
type bridge struct {
	id, name string
	subnet   netip.Prefix
}

// ensureNetwork returns the deployment's network and makes it if it is not there.
func (e *Engine) ensureNetwork(ctx context.Context, s deployment.RunSpec) (bridge, error) {
	name := e.NetworkName(s.DeploymentID)
	if err := e.networking.take(ctx); err != nil {
		return bridge{}, fmt.Errorf("make network %s: %w", name, err)
	}
	defer e.networking.release()
	found, err := e.networksNamed(ctx, name)
	if err != nil {
		return bridge{}, err
	}
	if len(found) == 0 {
		if err := e.createNetwork(ctx, name, s); err != nil {
			return bridge{}, err
		}
		if found, err = e.networksNamed(ctx, name); err != nil {
			return bridge{}, err
		}
	}
	switch len(found) {
	case 0:
		return bridge{}, deployment.TransientFailure("release.network_gone",
			"see that nothing else removes networks on the Docker engine, such as a scheduled docker network prune, and deploy again", "network %s was removed while it was made", name)
	case 1:
		return bridgeOf(found[0])
	default: // another process made one at the same time
		return e.settle(ctx, found)
	}
}

// createNetwork makes the network in the first subnet that nothing else on the engine uses.
func (e *Engine) createNetwork(ctx context.Context, name string, s deployment.RunSpec) error {
	used, err := e.usedSubnets(ctx)
	if err != nil {
		return err
	}
	for subnet := range subnets(e.options.SubnetPool, name) {
		if slices.ContainsFunc(used, subnet.Overlaps) {
			continue
		}
		_, err := e.client.NetworkCreate(ctx, name, network.CreateOptions{
			Driver: "bridge",
			IPAM:   &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
			Labels: e.networkLabels(s),
		})
		switch {
		case err == nil, errdefs.IsConflict(err): // another Start was quicker: its network is as good
			return nil
		case mentions(err, "overlap"): // taken since usedSubnets, or by a route of the host
			continue
		default:
			return e.failure(ctx, "create network "+name, err)
		}
	}
	return deployment.PlatformFailure("release.no_subnet",
		"remove networks that nobody uses, or configure a larger subnet pool",
		"create network %s: every subnet of %s is in use", name, e.options.SubnetPool)
}

func (e *Engine) usedSubnets(ctx context.Context) ([]netip.Prefix, error) {
	all, err := e.client.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, e.failure(ctx, "list networks", err)
	}
	var used []netip.Prefix
	for _, n := range all {
		for _, config := range n.IPAM.Config {
			if subnet, err := netip.ParsePrefix(config.Subnet); err == nil {
				used = append(used, subnet)
			}
		}
	}
	return used, nil
}

// networksNamed lists the networks of exactly that name.
func (e *Engine) networksNamed(ctx context.Context, name string) ([]network.Summary, error) {
	listed, err := e.client.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	if err != nil {
		return nil, e.failure(ctx, "look for network "+name, err)
	}
	found := slices.DeleteFunc(listed, func(n network.Summary) bool { return n.Name != name })
	for _, n := range found {
		if !e.owns(n.Labels) {
			return nil, foreign("network", name)
		}
	}
	return found, nil
}

// settle keeps one of several networks of a name, so that every concurrent Start agrees on it: one that is in use before
// others, then the oldest. One that cannot be removed yet goes with RemoveNetwork.
func (e *Engine) settle(ctx context.Context, found []network.Summary) (bridge, error) {
	for i, n := range found {
		inspected, err := e.client.NetworkInspect(ctx, n.ID, network.InspectOptions{}) // lists leave the containers out
		if err != nil && !errdefs.IsNotFound(err) {
			return bridge{}, e.failure(ctx, "inspect network "+n.Name, err)
		}
		found[i].Containers = inspected.Containers
	}
	slices.SortFunc(found, func(a, b network.Summary) int {
		return cmp.Or(len(b.Containers)-len(a.Containers), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	for _, n := range found[1:] {
		if err := e.removeNetwork(ctx, n.ID, n.Name); err != nil {
			e.log.WarnContext(ctx, "cannot remove a second network of a name", "network", n.Name, "id", n.ID, "error", err)
		}
	}
	return bridgeOf(found[0])
}

// RemoveNetwork removes a network of this installation; one that is not there is not an error.
func (e *Engine) RemoveNetwork(ctx context.Context, name string) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	found, err := e.networksNamed(ctx, name)
	if err != nil {
		return err
	}
	for _, n := range found {
		if err := e.removeNetwork(ctx, n.ID, name); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) removeNetwork(ctx context.Context, id, name string) error {
	err := e.client.NetworkRemove(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	return e.failure(ctx, "remove network "+name, err)
}

func bridgeOf(n network.Summary) (bridge, error) {
	for _, config := range n.IPAM.Config {
		if subnet, err := netip.ParsePrefix(config.Subnet); err == nil && subnet.Addr().Is4() {
			return bridge{id: n.ID, name: n.Name, subnet: subnet.Masked()}, nil
		}
	}
	return bridge{}, fmt.Errorf("network %s has no IPv4 subnet", n.Name)
}
