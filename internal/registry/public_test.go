package registry_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/registry"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	serve := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	require.NoError(t, registry.Answers(t.Context(), serve(http.StatusUnauthorized)), "wants a token")
	require.Error(t, registry.Answers(t.Context(), serve(http.StatusOK)), "a proxy's own page")
	require.Error(t, registry.Answers(t.Context(), serve(http.StatusForbidden)), "a proxy that refuses")
	require.NoError(t, registry.AnswersAnyone(t.Context(), serve(http.StatusOK)))
	require.Error(t, registry.AnswersAnyone(t.Context(), serve(http.StatusNotFound)))
	closed := httptest.NewServer(nil)
	closed.Close()
	require.Error(t, registry.Answers(t.Context(), closed.URL))
}
