//go:build !race

package devserver

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// serverLogger hands the Temporal server's lines to slog, from level on.
type serverLogger struct {
	out   *slog.Logger
	level slog.Level
}

var (
	_ log.Logger      = serverLogger{}
	_ log.WithLogger  = serverLogger{}
	_ log.SLogWrapper = serverLogger{}
)

func (l serverLogger) log(level slog.Level, msg string, tags []tag.Tag) {
	if level < l.level || !l.out.Enabled(context.Background(), level) {
		return
	}
	l.out.LogAttrs(context.Background(), level, msg, attrs(tags)...)
}

func (l serverLogger) Debug(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l serverLogger) Info(msg string, tags ...tag.Tag)   { l.log(slog.LevelInfo, msg, tags) }
func (l serverLogger) Warn(msg string, tags ...tag.Tag)   { l.log(slog.LevelWarn, msg, tags) }
func (l serverLogger) Error(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }
func (l serverLogger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic logs and panics, as the server expects.
func (l serverLogger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal logs and ends the process: the server relies on Fatal never returning.
func (l serverLogger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	os.Exit(1)
}

// With returns a logger that adds tags to every line.
func (l serverLogger) With(tags ...tag.Tag) log.Logger {
	return serverLogger{out: slog.New(l.out.Handler().WithAttrs(attrs(tags))), level: l.level}
}

// SLog returns the logger for the parts of the server that use slog, the SDK's among them.
func (l serverLogger) SLog() *slog.Logger {
	return slog.New(minLevel{Handler: l.out.Handler(), level: l.level})
}

func attrs(tags []tag.Tag) []slog.Attr {
	out := make([]slog.Attr, len(tags))
	for i, t := range tags {
		v := t.Value()
		if s, ok := v.(fmt.Stringer); ok {
			v = s.String()
		}
		out[i] = slog.Any(t.Key(), v)
	}
	return out
}

// minLevel is a handler that drops what is below level.
type minLevel struct {
	slog.Handler
	level slog.Level
}

// Enabled reports whether both the level and the handler below let the line through.
func (h minLevel) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the level.
func (h minLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return minLevel{Handler: h.Handler.WithAttrs(attrs), level: h.level}
}

// WithGroup keeps the level.
func (h minLevel) WithGroup(name string) slog.Handler {
	return minLevel{Handler: h.Handler.WithGroup(name), level: h.level}
}
