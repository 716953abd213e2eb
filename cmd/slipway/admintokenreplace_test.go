package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdminToken_SaysWhatItNeedsOnThisMachine(t *testing.T) {
	t.Setenv("SLIPWAY_DATA_DIR", filepath.Join(t.TempDir(), "none"))
	t.Setenv("SLIPWAY_DATABASE_URL", "")
	code, stdout, stderr := (&person{t: t}).run("admin", "token")
	require.Equal(t, exitError, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "slipway migrate", "nothing was prepared there: no keyset")

	t.Setenv("SLIPWAY_DATABASE_URL", "mysql://db")
	code, _, stderr = (&person{t: t}).run("admin", "token")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "fix: give a URL such as postgres://")

	code, _, stderr = (&person{t: t}).run("admin", "token", "replace")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `unknown command "replace"`)
}

func TestReplacedTokenAsJSON(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(replacedToken{Name: "admin", Token: "slipway_x", File: "/d/admin.token", Revoked: true})
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"admin","token":"slipway_x","file":"/d/admin.token","revoked":true}`, string(data))
}
