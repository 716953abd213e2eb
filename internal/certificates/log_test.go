package certificates_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/slipway-dev/slipway/internal/certificates"
)

func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	to := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log := certificates.Logger(to)
	log.Info("chatter")
	log.With(zap.Any("storage", certificates.NewStorage(nil))).Error("failed", zap.String("name", "a.example.com"), zap.Error(errors.New("no")))
	require.Equal(t, "level=WARN msg=\"certmagic: failed\" storage=postgres error=no name=a.example.com\n", out.String())
}
