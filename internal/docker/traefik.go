package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// traefikPrefix begins the names of the labels that Traefik's Docker provider reads.
const traefikPrefix = "traefik."

// firstPriority is what a router's priority is counted down from. Traefik takes those up to the greatest int32 on every machine.
const firstPriority = 1_000_000_000

// traefikLabels have a Traefik that reads the engine's labels lead the host names of s to its container, or have it leave the container
// alone. That is said in either case: Traefik may expose whatever does not refuse, and an app's image may hold labels that claim other
// people's host names. One that holds any is left alone as a whole, since labels of an image cannot be taken away.
func (e *Engine) traefikLabels(ctx context.Context, s deployment.RunSpec, network string) (map[string]string, error) {
	alone := map[string]string{traefikPrefix + "enable": "false"}
	if e.options.TraefikEntryPoints == "" || s.PreviewHost == "" || len(s.Command) > 0 {
		return alone, nil
	}
	image, err := e.client.ImageInspect(ctx, s.Image)
	if err != nil {
		return nil, err
	}
	if image.Config != nil && slices.ContainsFunc(slices.Collect(maps.Keys(image.Config.Labels)), isTraefiks) {
		e.log.WarnContext(ctx, "the image has labels for Traefik of its own; it is reached through the gateway alone", "container", s.Name)
		return alone, nil
	}
	return e.traefikRoutes(s, network), nil
}

func isTraefiks(label string) bool {
	return len(label) >= len(traefikPrefix) && strings.EqualFold(label[:len(traefikPrefix)], traefikPrefix)
}

// traefikRoutes lead a deployment's own host name to it at any time, and its environment's when no older deployment of that runs: what is
// replaced keeps the name until it is removed, and what is not known to answer does not get it.
func (e *Engine) traefikRoutes(s deployment.RunSpec, network string) map[string]string {
	service := "slipway-" + s.DeploymentID
	labels := map[string]string{
		traefikPrefix + "enable":         "true",
		traefikPrefix + "docker.network": network,
		traefikPrefix + "http.services." + service + ".loadbalancer.server.port": strconv.Itoa(s.Port),
	}
	route := func(router, host string) string {
		router = traefikPrefix + "http.routers." + router
		labels[router+".rule"] = fmt.Sprintf("Host(%q)", host)
		labels[router+".entrypoints"] = e.options.TraefikEntryPoints
		labels[router+".service"] = service
		return router
	}
	route(service, s.PreviewHost)
	if s.EnvironmentHost != "" {
		router := route(service+"-environment", s.EnvironmentHost)
		labels[router+".priority"] = strconv.Itoa(firstPriority - s.Number)
	}
	return labels
}
