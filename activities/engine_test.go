package activities_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// engine is a Docker engine that only counts; like the real one it keeps what stands already.
type engine struct {
	points
	b          *bench
	host       string
	mu         sync.Mutex
	containers map[string]int    // name → how often it was made
	ids        map[string]string // of those that Start has made, by name
	halted     map[string]bool
	networks   map[string]int
	stopped    []string
	graces     []time.Duration         // that were given to them
	specs      []deployment.RunSpec    // in the order in which they were started
	commands   []deployment.RunSpec    // that were begun
	limits     []time.Duration         // that they were given
	output     []deployment.OutputLine // of every container, besides its first line
	secrets    []string                // in every container's environment
	images     []string                // that no container runs
	bases      map[string]string       // those of them that are base images, with their deployments
	unbounded  bool                    // its storage keeps no bound
	otherPort  string                  // where every app listens instead of on PORT; "" for nowhere
}

func newEngine(b *bench, host string) *engine {
	return &engine{b: b, host: host, containers: map[string]int{}, networks: map[string]int{}, halted: map[string]bool{}, ids: map[string]string{}}
}

func (e *engine) Pull(ctx context.Context, _ string, progress func(deployment.Progress)) error {
	progress(deployment.Progress{Percent: 100})
	return e.at(ctx, "pull")
}

func (e *engine) Prepare(_ context.Context, s deployment.RunSpec) {
	e.b.mustBeOwned(deployment.ResourceNetwork, e.NetworkName(s.DeploymentID), e.host)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks[e.NetworkName(s.DeploymentID)] = 1
}

func (e *engine) NetworkName(deploymentID string) string { return "net-" + deploymentID + "-" + e.host }

func (e *engine) Start(ctx context.Context, s deployment.RunSpec) (deployment.Preview, error) {
	if err := e.at(ctx, "before start"); err != nil {
		return deployment.Preview{}, err
	}
	network := e.NetworkName(s.DeploymentID)
	e.b.mustBeOwned(deployment.ResourceNetwork, network, e.host)
	e.b.mustBeOwned(deployment.ResourceContainer, s.Name, e.host)
	e.mu.Lock()
	e.specs = append(e.specs, s)
	e.networks[network] = 1
	if e.containers[s.Name] == 0 {
		e.containers[s.Name]++
		e.ids[s.Name] = uuid.NewString()
	}
	id := e.ids[s.Name]
	e.mu.Unlock()
	p := deployment.Preview{
		DeploymentID: s.DeploymentID, Host: e.host, ContainerID: id, Container: s.Name, Network: network,
		Address: "172.18.0.2:8080", State: deployment.PreviewStarting,
		DiskUnbounded: e.unbounded,
	}
	return p, e.at(ctx, "after start")
}

// RunOnce begins a command in a container that is not there yet, and keeps it. One that an abandoned attempt makes late, without a
// row, is not begun.
func (e *engine) RunOnce(ctx context.Context, s deployment.RunSpec, o deployment.Once) error {
	if err := e.at(ctx, "before command"); err != nil {
		return err
	}
	e.mu.Lock()
	made := e.containers[s.Name] == 0
	e.containers[s.Name] = 1
	e.mu.Unlock()
	if made {
		if err := o.Begin(ctx); err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.containers, s.Name)
			return err
		}
		e.b.mustBeOwned(deployment.ResourceContainer, s.Name, e.host)
		e.mu.Lock()
		e.commands = append(e.commands, s)
		e.limits = append(e.limits, o.Limit)
		e.mu.Unlock()
	}
	o.Line(deployment.OutputLine{Stream: deployment.StreamStdout, Text: "migrated", At: printedAt(0)})
	return e.at(ctx, "command")
}

// ran returns the commands that were begun.
func (e *engine) ran() []deployment.RunSpec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.commands)
}

func (e *engine) Probe(ctx context.Context, p deployment.Preview, s deployment.ProbeSpec, line func(string)) (string, error) {
	line("200 OK")
	e.mu.Lock()
	id := e.ids[p.Container]
	e.mu.Unlock()
	if p.ContainerID != id {
		return "", deployment.TransientFailure("release.container_gone", "", "there is no container %s", p.ContainerID)
	}
	if e.otherPort != "" && !s.OtherPort {
		return "", deployment.UserFailure("release.wrong_port", "", "the app listens on %s", e.otherPort)
	}
	if e.otherPort != "" {
		return e.otherPort, nil
	}
	return p.Address, e.at(ctx, "probe")
}

func (e *engine) KeepAlive(ctx context.Context, _ string, _ deployment.Resources) error {
	return e.at(ctx, "keep alive")
}

func (e *engine) Logs(ctx context.Context, _ string, from deployment.OutputCursor, line func(deployment.OutputLine)) error {
	if err := e.at(ctx, "logs"); err != nil {
		return err
	}
	e.mu.Lock()
	lines := append([]deployment.OutputLine{{Stream: deployment.StreamStdout, Text: "listening", At: printedAt(0)}}, e.output...)
	e.mu.Unlock()
	for _, l := range lines {
		if !from.Passed(l.Stream, l.At) {
			line(l)
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (e *engine) Halt(ctx context.Context, container string, _ time.Duration) error {
	if err := e.at(ctx, "halt"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.containers[container] > 0 {
		e.halted[container] = true
	}
	return nil
}

func (e *engine) Wake(ctx context.Context, container string, _ deployment.Resources) (bool, error) {
	if err := e.at(ctx, "resume"); err != nil {
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, id := range e.ids {
		if id == container {
			container = name
		}
	}
	delete(e.halted, container)
	return e.containers[container] > 0, nil
}

func (e *engine) Secrets(context.Context, string) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.secrets, nil
}

// print lets every container print more.
func (e *engine) print(texts ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range texts {
		e.output = append(e.output, deployment.OutputLine{
			Stream: deployment.StreamStdout, Text: text, At: printedAt(len(e.output) + 1),
		})
	}
}

// printedAt is the engine's stamp of the nth line.
func printedAt(n int) time.Time { return time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC) }

func (e *engine) Stop(ctx context.Context, container string, grace time.Duration) error {
	if err := e.at(ctx, "stop"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, container)
	e.stopped = append(e.stopped, container)
	e.graces = append(e.graces, grace)
	return nil
}

func (e *engine) RemoveNetwork(_ context.Context, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for container := range e.containers {
		if strings.Contains(container, idIn.FindString(name)) {
			return fmt.Errorf("network %s has active endpoints", name)
		}
	}
	delete(e.networks, name)
	return nil
}

// Owned tells the deployment of a thing from its name, which holds it.
func (e *engine) Owned(ctx context.Context) ([]deployment.Resource, error) {
	if err := e.at(ctx, "owned"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []deployment.Resource
	add := func(kind deployment.ResourceKind, things map[string]int) {
		for name := range things {
			list = append(list, deployment.Resource{Kind: kind, Name: name, Host: e.host, DeploymentID: idIn.FindString(name)})
		}
	}
	add(deployment.ResourceContainer, e.containers)
	add(deployment.ResourceNetwork, e.networks)
	return list, nil
}

// BaseImages are those of the images that a test calls so.
func (e *engine) BaseImages(context.Context) (bases []deployment.Resource, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, image := range e.images {
		if id, isBase := e.bases[image]; isBase {
			bases = append(bases, deployment.Resource{Kind: deployment.ResourceBaseImage, Name: image, Host: e.host, DeploymentID: id})
		}
	}
	return bases, nil
}

// UnusedImages are those that a test has put there.
func (e *engine) UnusedImages(context.Context) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.images), nil
}

func (e *engine) RemoveImage(ctx context.Context, image string) error {
	e.mu.Lock()
	e.images = slices.DeleteFunc(e.images, func(i string) bool { return i == image })
	e.mu.Unlock()
	return e.at(ctx, "after image")
}

var idIn = regexp.MustCompile("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")

// add makes a container behind everybody's back, as an attempt does that was given up as dead.
func (e *engine) add(container string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[container]++
}

func (e *engine) running() (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.containers {
		list = append(list, name)
	}
	return list
}
