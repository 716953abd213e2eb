package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
)

// Secrets returns the values that must not be logged of what a container prints: those of the variables that its spec
// named, as they were when it was made, whatever the project's settings say by now. A container that is gone has none.
func (e *Engine) Secrets(ctx context.Context, name string) ([]string, error) {
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	c, err := e.client.ContainerInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, e.failure(ctx, "inspect container "+name, err)
	}
	names := strings.Split(c.Config.Labels[LabelSecrets], ",")
	var values []string
	for _, v := range c.Config.Env {
		if name, value, _ := strings.Cut(v, "="); slices.Contains(names, name) {
			values = append(values, value)
		}
	}
	return values, nil
}
