package postgres_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/tern/v2/migrate"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func (b *bench) token(name string, expires *time.Time) deployment.Token {
	b.t.Helper()
	made, err := b.CreateToken(b.t.Context(), deployment.Token{Name: name, ExpiresAt: expires}, deployment.HashToken(name))
	require.NoError(b.t, err)
	return made
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	has, err := b.HasTokens(t.Context())
	require.NoError(t, err)
	require.False(t, has)
	_, err = b.TokenByHash(t.Context(), deployment.HashToken("admin"))
	require.ErrorIs(t, err, deployment.ErrNotFound)
	made := b.token("admin", nil)
	_, err = b.CreateToken(t.Context(), deployment.Token{Name: "again"}, deployment.HashToken("admin"))
	require.Error(t, err, "a secret is one token's")
	_, err = b.CreateToken(t.Context(), deployment.Token{Name: "admin"}, deployment.HashToken("other"))
	require.ErrorIs(t, err, deployment.ErrNameTaken)
	has, err = b.HasTokens(t.Context())
	require.NoError(t, err)
	require.True(t, has)

	first, err := b.TokenByHash(t.Context(), deployment.HashToken("admin"))
	require.NoError(t, err)
	require.Equal(t, made, first, "as it was before this use")
	again, err := b.TokenByHash(t.Context(), deployment.HashToken("admin"))
	require.NoError(t, err)
	require.NotNil(t, again.LastUsedAt)
}

func TestTokensAreListedByName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	c, a, d := b.token("c", &expires), b.token("a", nil), b.token("d", nil)
	page, next, err := b.Tokens(t.Context(), deployment.Page{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []deployment.Token{a, c}, page)
	page, next, err = b.Tokens(t.Context(), deployment.Page{Limit: 2, Cursor: next})
	require.NoError(t, err)
	require.Equal(t, []deployment.Token{d}, page)
	require.Empty(t, next)
	_, _, err = b.Tokens(t.Context(), deployment.Page{Cursor: "x"})
	require.ErrorIs(t, err, deployment.ErrInvalidCursor)
}

func TestTheLastLastingTokenStays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	expires := time.Now().Add(time.Hour)
	admin, ci := b.token("admin", nil), b.token("ci", &expires)
	require.ErrorIs(t, b.DeleteToken(t.Context(), admin.ID), deployment.ErrLastToken, "one that ends does not count")
	require.NoError(t, b.DeleteToken(t.Context(), ci.ID))
	require.ErrorIs(t, b.DeleteToken(t.Context(), ci.ID), deployment.ErrNotFound)
	require.ErrorIs(t, b.DeleteToken(t.Context(), "ci"), deployment.ErrNotFound)
	b.token("second", nil)
	require.NoError(t, b.DeleteToken(t.Context(), admin.ID))
	_, err := b.TokenByHash(t.Context(), deployment.HashToken("admin"))
	require.ErrorIs(t, err, deployment.ErrNotFound)
}

// Two who revoke each other's token at once: one of them is refused.
func TestTheLastTwoTokensAreNotRevokedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 10 {
		one, two := b.token("one", nil), b.token("two", nil)
		results := make(chan error, 2)
		for _, id := range []string{one.ID, two.ID} {
			go func() { results <- b.DeleteToken(t.Context(), id) }()
		}
		errs := []error{<-results, <-results}
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		require.ErrorIs(t, errs[0], deployment.ErrLastToken)
		require.NoError(t, errs[1])
		_, err := b.Pool().Exec(t.Context(), "DELETE FROM tokens")
		require.NoError(t, err)
	}
}

// An installation from before tokens had ids of this kind: its tokens keep working.
func TestTokensOfAnEarlierSchema(t *testing.T) {
	t.Parallel()
	pool := postgrestest.NewEmpty(t)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	m, err := migrate.NewMigrator(t.Context(), conn.Conn(), "public.schema_version")
	require.NoError(t, err)
	require.NoError(t, m.LoadMigrations(os.DirFS("migrations")))
	this := slices.IndexFunc(m.Migrations, func(m *migrate.Migration) bool { return strings.HasSuffix(m.Name, "_tokens.sql") })
	require.NoError(t, m.MigrateTo(t.Context(), int32(this)))
	for _, secret := range []string{"one", "two"} { // names were not unique then
		_, err = pool.Exec(t.Context(), "INSERT INTO tokens (name, hash) VALUES ('admin', $1)", deployment.HashToken(secret))
		require.NoError(t, err)
	}
	require.NoError(t, postgres.Migrate(t.Context(), pool))

	store := postgres.New(pool, postgres.Options{})
	names := map[string]bool{}
	for _, secret := range []string{"one", "two"} {
		token, err := store.TokenByHash(t.Context(), deployment.HashToken(secret))
		require.NoError(t, err)
		names[token.Name] = true
		id, err := uuid.Parse(token.ID)
		require.NoError(t, err)
		require.EqualValues(t, 7, id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
		seconds, nanos := id.Time().UnixTime()
		require.WithinDuration(t, token.CreatedAt, time.Unix(seconds, nanos), 2*time.Millisecond)
	}
	require.Len(t, names, 2)
	require.Contains(t, names, "admin")
}

func TestReplaceToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	valid := func(secret string) bool {
		_, err := b.TokenByHash(t.Context(), deployment.HashToken(secret))
		return err == nil
	}
	replace := func(secret string, keep bool) *deployment.Token {
		before, err := b.ReplaceToken(t.Context(), "admin", deployment.HashToken(secret), keep)
		require.NoError(t, err)
		require.True(t, valid(secret))
		return before
	}
	require.Nil(t, replace("one", false), "nobody had the name")
	ci := b.token("ci", nil)
	require.Equal(t, "admin", replace("two", false).Name)
	require.False(t, valid("one"), "what is lost may be found")
	kept := replace("three", true)
	require.Regexp(t, "^admin-[0-9a-f]{8}$", kept.Name)
	require.True(t, valid("two"))
	items, _, err := b.Tokens(t.Context(), deployment.Page{})
	require.NoError(t, err)
	require.Len(t, items, 3)
	require.Equal(t, []string{"admin", kept.Name, ci.Name}, []string{items[0].Name, items[1].Name, items[2].Name})
	require.True(t, valid("ci"), "the others stay")
}
