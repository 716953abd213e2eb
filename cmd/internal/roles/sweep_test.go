package roles_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/docker"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/source"
)

// neighbour is an installation on the machine's Docker engine.
type neighbour struct {
	t            *testing.T
	api          *client.Client
	installation string
	image        string
	store        *postgres.Store
	engine       *docker.Engine
}

func newNeighbour(t *testing.T) *neighbour {
	t.Helper()
	n := &neighbour{t: t, installation: "test-" + uuid.NewString(), image: "slipway-test/sweep:" + uuid.NewString()}
	var err error
	n.api, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	n.store = postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	n.engine, err = docker.New(docker.Options{Installation: n.installation, HostID: "host-1", SubnetPool: netip.MustParsePrefix("10.217.0.0/16")})
	require.NoError(t, err)
	n.importImage()
	t.Cleanup(func() {
		require.NoError(t, n.engine.RemoveAll(context.Background()))
		_, err := n.api.ImageRemove(context.Background(), n.image, image.RemoveOptions{Force: true})
		require.NoError(t, err)
		require.NoError(t, n.engine.Close())
		require.NoError(t, n.api.Close())
	})
	return n
}

// importImage makes an image with one file in it: no container of these tests runs.
func (n *neighbour) importImage() {
	n.t.Helper()
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	require.NoError(n.t, w.WriteHeader(&tar.Header{Name: "app", Typeflag: tar.TypeReg, Mode: 0o755}))
	require.NoError(n.t, w.Close())
	answer, err := n.api.ImageImport(n.t.Context(), image.ImportSource{Source: &root, SourceName: "-"}, n.image, image.ImportOptions{})
	require.NoError(n.t, err)
	_, err = io.Copy(io.Discard, answer)
	require.NoError(n.t, errors.Join(err, answer.Close()))
}

// leave makes a container on a network, as a deployment of the installation does, without any row.
func (n *neighbour) leave(deploymentID string) {
	n.t.Helper()
	labels := map[string]string{
		docker.LabelManaged: "true", docker.LabelInstallation: n.installation, docker.LabelDeployment: deploymentID, docker.LabelRun: "run",
	}
	name := n.engine.NetworkName(deploymentID)
	_, err := n.api.NetworkCreate(n.t.Context(), name, network.CreateOptions{Labels: labels})
	require.NoError(n.t, err)
	_, err = n.api.ContainerCreate(n.t.Context(), &container.Config{Image: n.image, Cmd: []string{"/app"}, Labels: labels},
		&container.HostConfig{NetworkMode: container.NetworkMode(name)}, nil, nil, n.installation+"-"+deploymentID)
	require.NoError(n.t, err)
}

func (n *neighbour) sweep(age time.Duration) int {
	n.t.Helper()
	s := activities.Sweeper{
		LeftOvers: n.store, Ledger: n.store, Engine: n.engine, Workspaces: activities.Workspaces{Root: n.t.TempDir()},
		Mirrors: source.NewMirrors(n.t.TempDir(), 0), Projects: n.store, HostID: "host-1", Age: age,
		Alone: new(activities.OneByOne).Take,
	}
	swept, err := s.Sweep(n.t.Context())
	require.NoError(n.t, err)
	return swept
}

func (n *neighbour) owned() int {
	n.t.Helper()
	owned, err := n.engine.Owned(n.t.Context())
	require.NoError(n.t, err)
	return len(owned)
}

// A host that was forgotten comes back: the ledger knows nothing of what still stands on its engine, which another installation
// uses too.
func TestSweep_OfAHostThatWasForgotten(t *testing.T) {
	t.Parallel()
	mine, theirs := newNeighbour(t), newNeighbour(t)
	p, err := mine.store.CreateProject(t.Context(), deployment.Project{Name: "app", RepoURL: "https://git.example.com/app"}.WithDefaults())
	require.NoError(t, err)
	d, _, err := mine.store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.NoError(t, err)
	mine.leave(d.ID)
	theirs.leave(d.ID) // a clone of the database could name the same deployment
	for kind, name := range map[deployment.ResourceKind]string{
		deployment.ResourceNetwork: mine.engine.NetworkName(d.ID), deployment.ResourceContainer: mine.installation + "-" + d.ID,
	} {
		require.NoError(t, mine.store.Own(t.Context(), deployment.Resource{Kind: kind, Name: name, Host: "host-1", DeploymentID: d.ID}))
	}
	require.Zero(t, mine.sweep(0), "the ledger knows of it")

	forgotten, err := mine.store.ForgetHost(t.Context(), "host-1")
	require.NoError(t, err)
	require.Equal(t, 2, forgotten.Things)
	require.Zero(t, mine.sweep(time.Hour), "what is young may be about to get its row")
	require.Equal(t, 2, mine.owned())
	require.Equal(t, 2, mine.sweep(0))
	require.Zero(t, mine.owned())
	require.Equal(t, 2, theirs.owned())
}
