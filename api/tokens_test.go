package api_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func (w *world) makeToken(body string) oapi.TokenCreated {
	w.t.Helper()
	a := w.call("POST", "/v1/tokens", body)
	require.Equal(w.t, 201, a.status, "%s", a.body)
	var made oapi.TokenCreated
	a.into(&made)
	return made
}

func (w *world) tokens(query string) (found oapi.TokenList) {
	w.t.Helper()
	w.call("GET", "/v1/tokens"+query, "").into(&found)
	return found
}

func as(secret string) header { return header{"Authorization", "Bearer " + secret} }

func TestTokens_FromMakingToRevoking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.makeToken(`{"name":"ci/shop"}`)
	require.Regexp(t, `^slipway_[A-Z2-7]{52}$`, made.Token)
	require.Equal(t, 200, w.call("GET", "/v1/projects", "", as(made.Token)).status)
	require.Contains(t, w.log.String(), "token=ci/shop")

	list := w.call("GET", "/v1/tokens", "", as(made.Token))
	require.NotContains(t, string(list.body)+w.log.String(), made.Token, "the secret is shown once")
	var found oapi.TokenList
	list.into(&found)
	require.Len(t, found.Items, 2)
	admin, ci := found.Items[0], found.Items[1]
	require.Equal(t, []any{"admin", false, "ci/shop", true}, []any{admin.Name, admin.Current, ci.Name, ci.Current})
	require.NotNil(t, ci.LastUsedAt)
	require.Nil(t, ci.ExpiresAt)

	require.Equal(t, 204, w.call("DELETE", "/v1/tokens/"+made.ID, "").status)
	w.call("GET", "/v1/projects", "", as(made.Token)).problem(401)
	require.Equal(t, "not_found", w.call("DELETE", "/v1/tokens/"+made.ID, "").problem(404).Code)
}

func TestTokens_Pages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.makeToken(`{"name":"b"}`)
	w.makeToken(`{"name":"c"}`)
	first := w.tokens("?limit=2")
	require.Len(t, first.Items, 2)
	rest := w.tokens("?limit=2&cursor=" + url.QueryEscape(*first.NextCursor))
	require.Equal(t, "c", rest.Items[0].Name)
	require.Nil(t, rest.NextCursor)
	require.Equal(t, "invalid_cursor", w.call("GET", "/v1/tokens?cursor=x", "").problem(400).Code)
}

func TestTokens_Expire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.makeToken(fmt.Sprintf(`{"name":"guest","expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339)))
	require.NotNil(t, made.ExpiresAt)
	require.Equal(t, 200, w.call("GET", "/v1/projects", "", as(made.Token)).status)
	_, err := w.store.Pool().Exec(t.Context(), "UPDATE tokens SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day' WHERE name = 'guest'")
	require.NoError(t, err)
	p := w.call("GET", "/v1/projects", "", as(made.Token)).problem(401)
	require.Equal(t, "token_expired", p.Code)
	require.Contains(t, p.Detail, `the token "guest" expired at`)
	require.NotNil(t, p.Fix)
}

func TestTokens_TheLastStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.tokens("").Items[0].ID
	p := w.call("DELETE", "/v1/tokens/"+id, "").problem(409)
	require.Equal(t, "last_token", p.Code)
	require.NotNil(t, p.Fix)
	w.makeToken(`{"name":"second"}`)
	require.Equal(t, 204, w.call("DELETE", "/v1/tokens/"+id, "").status, "a token may revoke itself")
	w.call("GET", "/v1/projects", "").problem(401)
}

func TestTokens_BadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]struct {
		status      int
		code, field string
	}{
		`{}`:                         {422, "invalid_field", "name"},
		`{"name":""}`:                {422, "invalid_field", "name"},
		`{"name":"a b"}`:             {422, "invalid_field", "name"},
		`{"name":"-a"}`:              {422, "invalid_field", "name"},
		`{"name":"a\u0000"}`:         {422, "invalid_field", "name"},
		`{"name":"` + idShape + `"}`: {422, "invalid_field", "name"},
		`{"name":"a","expires_at":"2020-01-01T00:00:00Z"}`: {422, "invalid_field", "expires_at"},
		`{"name":"a","expires_at":"soon"}`:                 {422, "invalid_field", "expires_at"},
		`{"name":"a","token":"mine"}`:                      {422, "invalid_field", "token"},
		`{"name":"admin"}`:                                 {409, "name_taken", "name"},
	} {
		p := w.call("POST", "/v1/tokens", body).problem(want.status)
		require.Equal(t, want.code, p.Code, body)
		require.NotNil(t, p.Field, body)
		require.Equal(t, want.field, *p.Field, body)
		require.NotNil(t, p.Fix, body)
	}
	w.call("DELETE", "/v1/tokens/admin", "").problem(400)
	require.Len(t, w.tokens("").Items, 1)
}

const idShape = "0193a5c2-0000-7000-8000-000000000001"
