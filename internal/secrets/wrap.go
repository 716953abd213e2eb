package secrets

import (
	"context"
	"fmt"

	"github.com/slipway-dev/slipway/internal/privatefile"
)

// Wrap encrypts a keyset file that lies in clear with the place's key of KMS, and reports whether there was anything to do. The
// keys stay the same: processes that have the file open go on.
func Wrap(ctx context.Context, at Place) (done bool, err error) {
	if done, err = rewrite(ctx, Place{File: at.File}, at); err != nil {
		return false, fmt.Errorf("wrap keyset %s: %w", at.File, err)
	}
	return done, nil
}

// Unwrap puts the keys of a file that is wrapped into it in clear, and reports whether there was anything to do.
func Unwrap(ctx context.Context, at Place) (done bool, err error) {
	if done, err = rewrite(ctx, at, Place{File: at.File}); err != nil {
		return false, fmt.Errorf("unwrap keyset %s: %w", at.File, err)
	}
	return done, nil
}

// rewrite puts a file of the one form into the other. What it writes has been opened before: a key that encrypts and does not
// decrypt must not be the only one to have the keys.
func rewrite(ctx context.Context, from, to Place) (bool, error) {
	unlock, err := from.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	found, _, err := from.read()
	if err != nil {
		return false, err
	}
	if wanted := to.KMS != ""; wanted == (found.wrapped != nil) {
		_, err := to.open(ctx, found)
		return false, err
	}
	handle, err := from.open(ctx, found)
	if err != nil {
		return false, err
	}
	data, err := to.encode(ctx, handle)
	if err != nil {
		return false, err
	}
	made, err := parse(data)
	if err == nil {
		_, err = to.open(ctx, made)
	}
	if err != nil {
		return false, err
	}
	return true, privatefile.Replace(to.File, data)
}
