package buildkittest

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd" // what it asks by
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // where it keeps images
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// PrivateRegistry serves a registry that wants a user and a password for everything, and returns its host.
func PrivateRegistry(tb testing.TB, user, password string) string {
	tb.Helper()
	dir := tb.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(tb, err)
	users := filepath.Join(dir, "htpasswd")
	require.NoError(tb, os.WriteFile(users, []byte(user+":"+string(hash)+"\n"), 0o600))
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem":  {"rootdirectory": filepath.Join(dir, "registry")},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
		Auth: configuration.Auth{"htpasswd": {"realm": "private", "path": users}},
	}
	config.HTTP.Secret = uuid.NewString()
	server := httptest.NewServer(handlers.NewApp(context.WithoutCancel(tb.Context()), config))
	tb.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
