package temporal

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// at puts what was asked for before err, and says of a frontend that does not answer that it is away.
func at(err error, format string, args ...any) error {
	doing := fmt.Sprintf(format, args...)
	switch {
	case err == nil:
		return nil
	case Unreachable(err):
		return deployment.AwayFailure(deployment.ComponentTemporal, "temporal.unavailable", "check that the Temporal frontend runs", "%s: %w", doing, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// Unreachable reports whether the server did not answer, or said that it cannot now.
func Unreachable(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	return unavailable || late || errors.Is(err, context.DeadlineExceeded)
}
