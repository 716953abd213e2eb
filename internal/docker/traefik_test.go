package docker_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
)

func withTraefik(o *docker.Options) { o.TraefikEntryPoints = "web,websecure" }

// named is a spec of a container that a proxy may lead host names to.
func named(number int) deployment.RunSpec {
	s := spec("", "TOKEN=hush")
	s.SecretEnv = []string{"TOKEN"}
	s.PreviewHost, s.EnvironmentHost, s.Number = "1234abcd-preview.example.com", "shop.example.com", number
	return s
}

// traefikOf returns the labels of a container that Traefik reads.
func traefikOf(t *testing.T, container string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, value := range state(t, container).Config.Labels {
		if strings.HasPrefix(strings.ToLower(name), "traefik.") {
			found[name] = value
		}
	}
	return found
}

func TestTraefikLeadsHostNamesToTheContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t, withTraefik)
	s := named(7)
	p := start(t, e, s)
	router := "traefik.http.routers.slipway-" + s.DeploymentID
	require.Equal(t, map[string]string{
		"traefik.enable":                    "true",
		"traefik.docker.network":            p.Network,
		router + ".rule":                    `Host("1234abcd-preview.example.com")`,
		router + ".entrypoints":             "web,websecure",
		router + ".service":                 "slipway-" + s.DeploymentID,
		router + "-environment.rule":        `Host("shop.example.com")`,
		router + "-environment.entrypoints": "web,websecure",
		router + "-environment.service":     "slipway-" + s.DeploymentID,
		router + "-environment.priority":    "999999993",
		"traefik.http.services.slipway-" + s.DeploymentID + ".loadbalancer.server.port": "3000",
	}, traefikOf(t, s.Name))
	at := netip.MustParseAddrPort(p.Address)
	require.Equal(t, at.Addr().String(), state(t, s.Name).NetworkSettings.Networks[p.Network].IPAddress, "where Traefik looks for the address")
	require.Equal(t, p, start(t, e, s), "it is kept as it stands")

	newer := named(8)
	newer.EnvironmentHost = `a"b`
	start(t, e, newer)
	router = "traefik.http.routers.slipway-" + newer.DeploymentID + "-environment"
	require.Equal(t, "999999992", traefikOf(t, newer.Name)[router+".priority"], "below that of the one that it replaces")
	require.Equal(t, `Host("a\"b")`, traefikOf(t, newer.Name)[router+".rule"])
}

func TestTraefikLeavesContainersAlone(t *testing.T) {
	t.Parallel()
	on := newEngine(t, withTraefik)
	alone := map[string]string{"traefik.enable": "false"}

	off, s := newEngine(t), named(7)
	start(t, off, s)
	require.Equal(t, alone, traefikOf(t, s.Name), "without the setting")

	s = spec("")
	start(t, on, s)
	require.Equal(t, alone, traefikOf(t, s.Name), "of a preview that may sleep")

	s = command("command")
	s.PreviewHost = "1234abcd-preview.example.com"
	require.NoError(t, new(onced).run(t.Context(), on, s, time.Minute))
	require.Equal(t, alone, traefikOf(t, s.Name), "of a release command")
}

// An app's image is a stranger's, and so are the labels that it brings.
func TestAnImageClaimsNoHostNames(t *testing.T) {
	t.Parallel()
	config, err := testImage.ConfigFile()
	require.NoError(t, err)
	claiming := *config.Config.DeepCopy()
	claiming.Labels = map[string]string{"traefik.enable": "true", "Traefik.http.routers.mine.rule": "Host(`bank.example.com`)"}
	img, err := mutate.Config(testImage, claiming)
	require.NoError(t, err)
	tag := imageName + "-claiming"
	require.NoError(t, loadImage(tag, img))
	t.Cleanup(func() {
		_, err := api.ImageRemove(context.WithoutCancel(t.Context()), tag, image.RemoveOptions{})
		require.NoError(t, err)
	})
	for name, e := range map[string]*docker.Engine{"on": newEngine(t, withTraefik), "off": newEngine(t)} {
		s := named(7)
		s.Image = tag
		start(t, e, s)
		labels := traefikOf(t, s.Name)
		require.Equal(t, "false", labels["traefik.enable"], name)
		require.NotContains(t, labels, "traefik.http.routers.slipway-"+s.DeploymentID+".rule", name)
	}
}
