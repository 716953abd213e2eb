package roles

import (
	"io"
	"log/slog"

	"github.com/slipway-dev/slipway/internal/config"
)

// NewLogger returns a process's logger.
func NewLogger(c config.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
