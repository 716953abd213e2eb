package registry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/sirupsen/logrus"
)

// loggerContext hands distribution a logger of our own. The library looks for one in the context under a key of an
// internal type and falls back to logrus's global logger; answering that key by the name of its type is the only way in
// that changes nothing for other users of logrus in this process, or for a second registry.
type loggerContext struct {
	context.Context
	entry *logrus.Entry
}

func withLogger(ctx context.Context, logger *slog.Logger) context.Context {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	quiet.SetLevel(logrus.WarnLevel)
	quiet.AddHook(slogHook{logger: logger})
	return loggerContext{Context: ctx, entry: logrus.NewEntry(quiet)}
}

// Value answers the library's logger key and passes every other on.
func (c loggerContext) Value(key any) any {
	if fmt.Sprintf("%T", key) == "dcontext.loggerKey" {
		return c.entry
	}
	return c.Context.Value(key)
}

// slogHook passes what the library says on to slog. It reports every refusal as an error, such as the 404 of a client that
// asks whether an image is there: those are routine and go to debug.
type slogHook struct{ logger *slog.Logger }

// Levels lists what is passed on.
func (slogHook) Levels() []logrus.Level {
	return []logrus.Level{logrus.WarnLevel, logrus.ErrorLevel, logrus.FatalLevel, logrus.PanicLevel}
}

// Fire passes one entry on.
func (h slogHook) Fire(e *logrus.Entry) error {
	level := slog.LevelWarn
	if code, refused := e.Data["err.code"]; refused && fmt.Sprint(code) != errcode.ErrorCodeUnknown.String() {
		level = slog.LevelDebug
	}
	h.logger.Log(context.Background(), level, "registry: "+e.Message, "method", e.Data["http.request.method"],
		"uri", e.Data["http.request.uri"], "error", e.Data["err.message"], "detail", e.Data["err.detail"])
	return nil
}
