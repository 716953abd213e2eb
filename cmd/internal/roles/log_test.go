package roles_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestNewLogger_NamesTheDeploymentOnce(t *testing.T) {
	t.Parallel()
	const id = "0198b3a0-0000-7000-8000-000000000001"
	within := deployment.WithID(t.Context(), id)
	for name, write := range map[string]func(*slog.Logger){
		"by its context":         func(l *slog.Logger) { l.InfoContext(within, "x") },
		"by an attribute":        func(l *slog.Logger) { l.Info("x", "deployment", id) },
		"by both":                func(l *slog.Logger) { l.InfoContext(within, "x", "deployment", id) },
		"by the logger":          func(l *slog.Logger) { l.With("deployment", id).InfoContext(within, "x") },
		"by a workflow's logger": func(l *slog.Logger) { sdklog.With(sdklog.NewStructuredLogger(l), "WorkflowID", "deploy/"+id).Warn("x") },
		"by a line of the SDK":   func(l *slog.Logger) { sdklog.NewStructuredLogger(l).Warn("x", "WorkflowID", "deploy/"+id) },
		"by the SDK, in a context": func(l *slog.Logger) {
			l.With("WorkflowID", "deploy/"+id, "RunID", "r").InfoContext(within, "x")
		},
	} {
		var out bytes.Buffer
		write(roles.NewLogger(config.Log{Format: "json"}, &out))
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line), name)
		require.Equal(t, id, line["deployment"], name)
		require.Equal(t, 1, bytes.Count(out.Bytes(), []byte(`"deployment":`)), name)
	}
	var out bytes.Buffer
	log := roles.NewLogger(config.Log{Format: "json"}, &out)
	log.Info("x", "WorkflowID", "reconcile")
	log.With("WorkflowID", "reconcile").Info("x")
	require.NotContains(t, out.String(), `"deployment"`)
}
