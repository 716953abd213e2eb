package roles

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/temporal/codec"
)

// openCodec returns the codec with the keys of the keyset.
func openCodec(ctx context.Context, c config.Postgres) (codec.Codec, error) {
	keys, err := openKeyset(ctx, c)
	return codec.Codec{Cipher: keys}, err
}

// withCodec serves the codec endpoint beside the API. It is there with encryption off, too: what was encrypted before that
// is to be read on.
func withCodec(ctx context.Context, handler http.Handler, c config.APIRole, store *postgres.Store) (http.Handler, error) {
	payloads, err := openCodec(ctx, c.Postgres)
	if err != nil {
		return nil, err
	}
	known := func(ctx context.Context, token string) (bool, error) {
		found, err := store.TokenByHash(ctx, deployment.HashToken(token))
		if errors.Is(err, deployment.ErrNotFound) {
			return false, nil
		}
		return err == nil && !found.Expired(time.Now()), err
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.Handle(codec.Path+"/", codec.Endpoint{Codec: payloads, Origins: c.Temporal.CodecOrigins, Known: known})
	return mux, nil
}
