// Package notify follows a channel of Postgres' LISTEN/NOTIFY over lost connections.
package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// pause is how long to wait before connecting again.
const pause = 500 * time.Millisecond

// Listen calls heard with the payload of every notification on channel until ctx ends, on a connection of its own. After a
// lost connection it listens again, and calls begun each time it begins to: what was said in between is not known then.
func Listen(ctx context.Context, config *pgx.ConnConfig, channel string, begun func(), heard func(payload string), log *slog.Logger) {
	for away := false; ; {
		err := once(ctx, config, channel, func() {
			away = false
			begun()
		}, heard)
		if ctx.Err() != nil {
			return
		}
		if !away {
			log.Warn("notifications are interrupted; listening again", "channel", channel, "error", err)
			away = true
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func once(ctx context.Context, config *pgx.ConnConfig, channel string, begun func(), heard func(string)) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(after) // the connection is given up either way
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	begun()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(n.Payload)
	}
}
