package docker

import (
	"context"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// Options that the engine's bridge driver knows of a network.
const (
	optionBridgeName    = "com.docker.network.bridge.name"
	optionDefaultBridge = "com.docker.network.bridge.default_bridge"
)

// idInName is how much of a network's id is in the name of its interface.
const idInName = 12

// Bridges returns the names of the interfaces that the engine's networks have in its network namespace. That of the default network, which
// is docker0 on every machine, is among them only when there is no other: the others are named by an id.
func (e *Engine) Bridges(ctx context.Context) ([]string, error) {
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	all, err := e.client.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("driver", "bridge"))})
	if err != nil {
		return nil, e.failure(ctx, "list networks", err)
	}
	var ids, defaults []string
	for _, n := range all {
		name := n.Options[optionBridgeName]
		if name == "" && len(n.ID) >= idInName {
			name = "br-" + n.ID[:idInName]
		}
		switch {
		case name == "":
		case n.Options[optionDefaultBridge] == "true":
			defaults = append(defaults, name)
		default:
			ids = append(ids, name)
		}
	}
	if len(ids) == 0 {
		return defaults, nil
	}
	return ids, nil
}
