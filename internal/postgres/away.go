package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// notNow are Postgres' codes for a server that starts, stops or has no connection left. All other codes are answers.
var notNow = []string{
	"57P01", // admin_shutdown
	"57P02", // crash_shutdown
	"57P03", // cannot_connect_now
	"53300", // too_many_connections
}

// Unreachable reports whether err means that the server does not answer, or not yet: asking again may help. One that
// refuses the user or does not know the database does answer; so does one whose answer the caller did not wait for.
func Unreachable(err error) bool {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.Contains(notNow, refusal.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	_, broken := errors.AsType[net.Error](err)
	return broken || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}
