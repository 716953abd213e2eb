package roles

import (
	"context"
	"errors"
	"io/fs"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/secrets"
)

// WrapKeys wraps the keyset file, which is in clear, with the key of KMS that the configuration names; changed is false when
// it was wrapped with that key before.
func WrapKeys(ctx context.Context, c config.Postgres) (changed bool, err error) {
	return rewriteKeys(ctx, c, secrets.Wrap)
}

// UnwrapKeys puts the keys of a file that is wrapped with that key into it in clear; changed is false when they were before.
func UnwrapKeys(ctx context.Context, c config.Postgres) (changed bool, err error) {
	return rewriteKeys(ctx, c, secrets.Unwrap)
}

func rewriteKeys(ctx context.Context, c config.Postgres, rewrite func(context.Context, secrets.Place) (bool, error)) (bool, error) {
	if c.KeysetKMS == "" {
		return false, deployment.UserFailure("keyset.no_kms", "name the key as aws-kms://arn:aws:kms:<region>:<account>:key/<id> in SLIPWAY_KEYSET_KMS",
			"SLIPWAY_KEYSET_KMS is not set: there is no key of KMS to work with")
	}
	changed, err := rewrite(ctx, keysetPlace(c))
	switch {
	case errors.Is(err, fs.ErrPermission):
		err = deniedHere(err)
	case errors.Is(err, fs.ErrNotExist):
		err = deployment.UserFailure("keyset.missing", "run `slipway migrate`, which makes it; or name its place with SLIPWAY_KEYSET_FILE or SLIPWAY_DATA_DIR", "%w", err)
	}
	return changed, err
}

// deniedHere says what to do about a file of the installation that the caller may not read or change.
func deniedHere(err error) error {
	return deployment.UserFailure("machine.denied", "run it as root, or as the user that slipway runs as", "%w", err)
}
