package logs_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// bench is a database with one deployment, and a way to read its log.
type bench struct {
	t      *testing.T
	pool   *pgxpool.Pool
	store  *postgres.Store
	reader *logs.Reader
	id     string
}

func newBench(t *testing.T) bench {
	t.Helper()
	pool := postgrestest.New(t)
	store := postgres.New(pool, postgres.Options{PreviewDomain: "localhost"})
	p, err := store.CreateProject(t.Context(), deployment.Project{Name: "app"}.WithDefaults())
	require.NoError(t, err)
	d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: "production"})
	require.NoError(t, err)
	reader := logs.NewReader(pool, slog.New(slog.DiscardHandler))
	t.Cleanup(reader.Close)
	return bench{t: t, pool: pool, store: store, reader: reader, id: d.ID}
}

// writer returns a writer that is closed when the test ends, before the database goes.
func (b bench) writer() *logs.Writer {
	b.t.Helper()
	return b.writerOn(b.pool)
}

func (b bench) writerOn(pool *pgxpool.Pool) *logs.Writer {
	b.t.Helper()
	w := logs.NewWriter(pool, slog.New(slog.DiscardHandler))
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.Close(ctx); err != nil {
			b.t.Error(err)
		}
	})
	return w
}

func (b bench) lines() []deployment.LogLine {
	b.t.Helper()
	lines, err := b.reader.Lines(b.t.Context(), b.id, 0, 1_000_000)
	require.NoError(b.t, err)
	return lines
}

func (b bench) texts() []string {
	b.t.Helper()
	var texts []string
	for _, line := range b.lines() {
		texts = append(texts, line.Text)
	}
	return texts
}

// requireGapless checks that numbers are 1, 2, 3, …
func (b bench) requireGapless(want int) {
	b.t.Helper()
	lines := b.lines()
	require.Len(b.t, lines, want)
	for i, line := range lines {
		require.EqualValues(b.t, i+1, line.Seq)
	}
}

// outage takes the database away from everybody until the returned function is called.
func (b bench) outage() (end func()) {
	b.t.Helper()
	config := b.pool.Config().ConnConfig
	name := config.Database
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(b.t.Context(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	run := func(sql string) {
		_, err := conn.Exec(context.Background(), sql)
		require.NoError(b.t, err)
	}
	run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	return func() { run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true") }
}

func line(text string) deployment.LogLine {
	return deployment.LogLine{Step: deployment.StepBuild, Attempt: 1, Stream: deployment.StreamStdout, Text: text}
}

func long(n int) string { return strings.Repeat("x", n) }
