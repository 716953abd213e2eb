package roles

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/temporal/codec"
)

// The codec endpoint takes the tokens that the API takes, and stands beside it.
func TestWithCodec(t *testing.T) {
	t.Parallel()
	store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
	for _, name := range []string{"valid", "expired"} {
		_, err := store.CreateToken(t.Context(), deployment.Token{Name: name}, deployment.HashToken(name))
		require.NoError(t, err)
	}
	_, err := store.Pool().Exec(t.Context(), `UPDATE tokens SET created_at = now() - interval '1h', expires_at = now() - interval '1m' WHERE name = 'expired'`)
	require.NoError(t, err)
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	c := config.APIRole{Postgres: config.Postgres{Keyset: filepath.Join(t.TempDir(), "keyset.json")}}
	handler, err := withCodec(t.Context(), api, c, store)
	require.NoError(t, err)
	ask := func(path, token string) int {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"payloads":[]}`))
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Code
	}
	require.Equal(t, http.StatusOK, ask(codec.Path+"/decode", "valid"))
	require.Equal(t, http.StatusUnauthorized, ask(codec.Path+"/decode", "expired"))
	require.Equal(t, http.StatusUnauthorized, ask(codec.Path+"/decode", "unknown"))
	require.Equal(t, http.StatusTeapot, ask("/v1/projects", "unknown"))
}
