package certificates

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger returns a logger as certmagic wants it. What certmagic finds worth knowing is mostly for whoever debugs it: what matters to an
// operator the Manager says itself.
func logger(to *slog.Logger) *zap.Logger { return zap.New(core{log: to}) }

// core writes zap's entries to a slog.Logger.
type core struct{ log *slog.Logger }

var _ zapcore.Core = core{}

func level(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled reports whether entries of a level are written.
func (c core) Enabled(l zapcore.Level) bool { return c.log.Enabled(context.Background(), level(l)) }

// With returns a core that adds fields to each entry.
func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{log: slog.New(c.log.Handler().WithAttrs(attributes(fields)))}
}

// Check takes an entry that is to be written.
func (c core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write writes an entry.
func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.log.LogAttrs(context.Background(), level(e.Level), "certmagic: "+e.Message, attributes(fields)...)
	return nil
}

// Sync has nothing to do.
func (c core) Sync() error { return nil }

func attributes(fields []zapcore.Field) []slog.Attr {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	attrs := make([]slog.Attr, 0, len(values.Fields))
	for _, name := range slices.Sorted(maps.Keys(values.Fields)) {
		attrs = append(attrs, slog.Any(name, values.Fields[name]))
	}
	return attrs
}
