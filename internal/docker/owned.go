package docker

import (
	"context"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Owned lists the containers, running or not, and the networks that carry this installation's labels, in the words of the
// ownership ledger. A network belongs to no run.
func (e *Engine) Owned(ctx context.Context) ([]deployment.Resource, error) {
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	mine := filters.NewArgs(
		filters.Arg("label", LabelManaged+"=true"),
		filters.Arg("label", LabelInstallation+"="+e.options.Installation),
	)
	containers, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	if err != nil {
		return nil, e.failure(ctx, "list containers", err)
	}
	networks, err := e.client.NetworkList(ctx, network.ListOptions{Filters: mine})
	if err != nil {
		return nil, e.failure(ctx, "list networks", err)
	}
	owned := make([]deployment.Resource, 0, len(containers)+len(networks))
	for _, c := range containers {
		name := c.ID
		if len(c.Names) > 0 { // none while it is being removed
			name = strings.TrimPrefix(c.Names[0], "/")
		}
		owned = append(owned, e.resource(deployment.ResourceContainer, name, time.Unix(c.Created, 0), c.Labels))
	}
	for _, n := range networks {
		owned = append(owned, e.resource(deployment.ResourceNetwork, n.Name, n.Created, n.Labels))
	}
	return owned, nil
}

func (e *Engine) resource(kind deployment.ResourceKind, name string, made time.Time, labels map[string]string) deployment.Resource {
	return deployment.Resource{
		Kind: kind, Name: name, Host: e.options.HostID, DeploymentID: labels[LabelDeployment], RunID: labels[LabelRun], Made: made,
	}
}
