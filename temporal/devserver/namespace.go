//go:build !race

package devserver

import (
	"context"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/temporal/namespace"
)

// prepareNamespace waits for the frontend and makes the namespace what o says.
func prepareNamespace(ctx context.Context, addr string, o Options) error {
	c, err := sdkclient.NewLazyClient(sdkclient.Options{
		HostPort: addr, Namespace: o.Namespace, Logger: serverLogger{out: o.Logger, level: o.LogLevel}.SLog(),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	return namespace.Prepare(ctx, c, namespace.Spec{
		Name: o.Namespace, Retention: o.Retention, SearchAttributes: o.SearchAttributes,
	})
}
