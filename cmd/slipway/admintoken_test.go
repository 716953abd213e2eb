package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func (f *fakeAPI) CreateToken(c *gin.Context) {
	var body oapi.TokenCreate
	require.NoError(f.t, c.BindJSON(&body))
	c.JSON(201, oapi.TokenCreated{ID: envID, Name: body.Name, CreatedAt: noon, ExpiresAt: body.ExpiresAt, Token: "slipway_SECRET"})
}

func (f *fakeAPI) ListTokens(c *gin.Context, params oapi.ListTokensParams) {
	from, to, next := f.page(len(f.tokens), params.Limit, params.Cursor)
	c.JSON(200, oapi.TokenList{Items: f.tokens[from:to], NextCursor: next})
}

func (f *fakeAPI) DeleteToken(c *gin.Context, _ oapi.ID) { c.Status(204) }

const (
	adminTokenID = "0193a5c2-0000-7000-8000-0000000000a1"
	ciTokenID    = "0193a5c2-0000-7000-8000-0000000000a2"
)

func withTokens(t *testing.T) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.pageLimit = 1
	api.tokens = []oapi.Token{
		{ID: adminTokenID, Name: "admin", CreatedAt: noon.Add(-72 * time.Hour), LastUsedAt: new(noon.Add(-time.Minute)), Current: true},
		{ID: ciTokenID, Name: "ci/shop", CreatedAt: noon.Add(-time.Hour), ExpiresAt: new(noon.Add(time.Hour))},
	}
	return api
}

func TestAdminTokenCreate(t *testing.T) {
	t.Parallel()
	for expires, want := range map[string]string{
		"":                     `{"name":"ci/shop"}`,
		"90d":                  `{"expires_at":"2027-02-21T12:00:00Z","name":"ci/shop"}`,
		"12h30m":               `{"expires_at":"2026-11-24T00:30:00Z","name":"ci/shop"}`,
		"2027-01-31":           `{"expires_at":"2027-01-31T00:00:00Z","name":"ci/shop"}`,
		"2027-01-31T18:00:00Z": `{"expires_at":"2027-01-31T18:00:00Z","name":"ci/shop"}`,
	} {
		api := newFakeAPI(t)
		code, stdout, stderr := user(t, api).run("admin", "token", "create", "ci/shop", "--expires", expires)
		require.Zero(t, code, stderr)
		require.Equal(t, []string{"POST /v1/tokens " + want}, api.requests())
		require.Equal(t, "slipway_SECRET\n", stdout, "alone, for scripts")
		require.Contains(t, stderr, "it is shown this once")
	}
	api := newFakeAPI(t)
	for _, wrong := range []string{"soon", "-3d", "0d", "d", "-1h", "2020-01-01", "2026-11-23T11:59:59Z"} {
		code, _, stderr := user(t, api).run("admin", "token", "create", "ci/shop", "--expires="+wrong)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "is no time to come\nfix: give one like 90d")
	}
	require.Empty(t, api.requests())
	_, stdout, _ := user(t, api).run("admin", "token", "create", "a", "-o", "json")
	var made oapi.TokenCreated
	require.NoError(t, json.Unmarshal([]byte(stdout), &made))
	require.Equal(t, "slipway_SECRET", made.Token)
}

func TestAdminTokenList(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := user(t, withTokens(t)).run("admin", "token", "list")
	require.Zero(t, code, stderr)
	require.Equal(t, `NAME     AGE    LAST USED  VALIDITY                             IN USE HERE
admin    3d     1m00s ago  valid for ever                       yes
ci/shop  1h00m  never      valid until 2026-11-23 13:00:00 UTC  -
`, stdout)
}

func TestAdminTokenRevoke(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"ci/shop", ciTokenID} {
		api := withTokens(t)
		code, _, stderr := user(t, api).run("admin", "token", "revoke", given)
		require.Zero(t, code, stderr)
		require.Equal(t, "token ci/shop is revoked\n", stderr)
		require.Equal(t, []string{"DELETE /v1/tokens/" + ciTokenID}, api.sent("DELETE"))
	}
	code, _, stderr := user(t, withTokens(t)).run("admin", "token", "revoke", "nobody")
	require.Equal(t, exitError, code)
	require.Equal(t, "error: no token is called \"nobody\"\nfix: `slipway admin token list` shows their names\n", stderr)
}

func TestAdminTokenRevokeAsksForTheOneInUse(t *testing.T) {
	t.Parallel()
	for typed, deletes := range map[string]bool{"admin\n": true, "y\n": false, "": false} {
		api := withTokens(t)
		p := user(t, api)
		p.stdin, p.tune = typed, func(c *cli) { c.screen.stdin = true }
		code, _, stderr := p.run("admin", "token", "revoke", "admin")
		require.Equal(t, deletes, code == exitOK, stderr)
		require.Contains(t, stderr, "admin is the token in use")
		require.Equal(t, deletes, len(api.sent("DELETE")) == 1)
	}
	api := withTokens(t)
	code, _, stderr := user(t, api).run("admin", "token", "revoke", "admin")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "fix: pass --yes")
	code, _, stderr = user(t, api).run("admin", "token", "revoke", "admin", "--yes")
	require.Zero(t, code)
	require.True(t, strings.HasSuffix(stderr, "`slipway login` with another\n"), stderr)
}
