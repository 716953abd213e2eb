package deployment

import "context"

type idKey struct{}

// WithID returns a context for work on a deployment: what is logged with it names the deployment.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// IDFrom returns the id that WithID put into ctx, "" when there is none.
func IDFrom(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}
