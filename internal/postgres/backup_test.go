package postgres_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
)

// copied is a dump in memory.
type copied struct {
	postgres.Dump
	rows map[string][]byte
}

// takeDump copies a database; between two tables it calls meanwhile.
func takeDump(t *testing.T, store *postgres.Store, logs bool, meanwhile func()) copied {
	t.Helper()
	c := copied{rows: map[string][]byte{}}
	c.Rows, c.WithoutLogs = map[string]int64{}, !logs
	c.Open = func(table string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.rows[table])), nil }
	require.NoError(t, store.Snapshot(t.Context(), func(s *postgres.Snapshot) (err error) {
		c.Schema, c.TakenAt = s.Schema, s.TakenAt
		c.Tables, err = s.Tables(t.Context(), logs)
		require.NoError(t, err)
		for _, table := range c.Tables {
			meanwhile()
			var rows bytes.Buffer
			c.Rows[table.Name], err = s.CopyOut(t.Context(), table, &rows)
			require.NoError(t, err)
			c.rows[table.Name] = rows.Bytes()
		}
		return nil
	}))
	return c
}

func (b bench) dump() copied { return takeDump(b.t, b.Store, true, func() {}) }

// lines returns the rows of a table in an order that does not depend on how they lie.
func (c copied) lines(table string) []string {
	lines := strings.Split(string(c.rows[table]), "\n")
	slices.SortFunc(lines, cmp.Compare)
	return lines
}

// restored is a store on another server's database, filled from a dump.
func restored(t *testing.T, c copied, o postgres.RestoreOptions) (bench, postgres.Restored) {
	t.Helper()
	b := bench{Store: postgres.New(postgrestest.NewEmpty(t), postgres.Options{PreviewDomain: "localhost", Cipher: mirror{}}), t: t}
	o.Last = func() error { return nil }
	done, err := b.Restore(t.Context(), c.Dump, o)
	require.NoError(t, err)
	return b, done
}

// everything fills every table: a project with all that belongs to one, and what was live, canceled, is under way or deleted.
func everything(t *testing.T) (b bench, p deployment.Project, live, underWay deployment.Deployment) {
	t.Helper()
	b = newBench(t)
	_, err := b.InstallationID(t.Context())
	require.NoError(t, err)
	b.token("admin", nil)
	require.NoError(t, b.SeenHost(t.Context(), "host-1", []string{"build", "preview"}, 2))
	_, err = b.PinHostKey(t.Context(), "git.example.com:22", "git.example.com ssh-ed25519 AAAA")
	require.NoError(t, err)
	p = b.project("app")
	require.NoError(t, b.SetGitCredential(t.Context(), p.ID, deployment.GitCredential{Secret: "s3cret", CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialToken, Origin: "https://git.example.com", Username: "git",
	}}))
	live = b.shown(p, "production", "sha256:1")
	// What a text format could lose: separators, a backslash, nothing.
	for name, value := range map[string]string{"A": "tab\t, newline\n, \\N and \\.", "B": ""} {
		require.NoError(t, b.MergeEnvVars(t.Context(), live.Scope(), []deployment.EnvVar{{Name: name, Value: value, Target: deployment.TargetBoth}}))
	}
	b.logged(live, "one\ttwo", `\.`, "")
	b.exec("INSERT INTO output_cursors VALUES ($1, 'slipway-x', 'stdout', 42)", live.ID)
	b.own(live, deployment.ResourceContainer, "slipway-"+live.ID)
	b.exec("INSERT INTO preview_traffic (environment_id, last_request_at, answered_2xx) VALUES ($1, now(), 7)", live.EnvironmentID)
	b.exec("INSERT INTO preview_samples (deployment_id, sampled_at, cpu_cores, memory_bytes, memory_limit, pids, restarts) VALUES ($1, now(), 0.5, 1, 2, 3, 4)", live.ID)

	_, _, err = b.AddDomain(t.Context(), live.EnvironmentID, "shop.example.com", "token")
	require.NoError(t, err)

	require.NoError(t, b.SaveAsset(t.Context(), "certificates/ca/shop.example.com/shop.example.com.key", []byte("key")))
	_, err = b.TakeLock(t.Context(), "issue_cert_shop.example.com", "gateway", time.Minute)
	require.NoError(t, err)

	canceled := b.built(p, "branch/a", "sha256:2")
	b.own(canceled, deployment.ResourceNetwork, "net-"+canceled.ID)
	_, err = b.RequestCancel(t.Context(), canceled.ID)
	require.NoError(t, err)
	require.NoError(t, b.Gone(t.Context(), deployment.Resource{Kind: deployment.ResourceNetwork, Name: "net-" + canceled.ID, Host: "host-1", DeploymentID: canceled.ID, RunID: "run"}, time.Second))
	_, err = b.Finish(t.Context(), canceled.ID, "run", deployment.StatusCanceled, nil)
	require.NoError(t, err)

	underWay = b.built(p, "production", "sha256:3")
	b.own(underWay, deployment.ResourceLease, "slot")
	b.own(underWay, deployment.ResourceWorkspace, underWay.ID)
	gone := b.shown(b.project("gone"), "production", "sha256:4")
	b.remove(deployment.Scope{ProjectID: gone.ProjectID}) // its teardown has not begun
	return b, p, live, underWay
}

func (b bench) own(d deployment.Deployment, kind deployment.ResourceKind, name string) {
	b.t.Helper()
	require.NoError(b.t, b.Own(b.t.Context(), deployment.Resource{Kind: kind, Name: name, Host: "host-1", DeploymentID: d.ID, RunID: "run"}))
}

// logged stores lines of a log.
func (b bench) logged(d deployment.Deployment, lines ...string) {
	b.t.Helper()
	b.exec("INSERT INTO log_heads (deployment_id, seq) VALUES ($1, $2)", d.ID, len(lines))
	for i, text := range lines {
		b.exec(`INSERT INTO log_lines (deployment_id, seq, time, step, attempt, stream, text) VALUES ($1, $2, now(), 'build', 1, 'stdout', $3)`,
			d.ID, i+1, text)
	}
}

// Every table comes back as it was: the tables that there are, with whatever a later migration adds.
func TestADumpHoldsEveryTable(t *testing.T) {
	t.Parallel()
	b, _, _, _ := everything(t)
	c := b.dump()
	require.Greater(t, len(c.Tables), 15)
	for _, table := range c.Tables {
		require.Positive(t, c.Rows[table.Name], "table %s is not filled by this test: let everything() do it", table.Name)
	}
	empty := postgrestest.NewEmpty(t)
	require.NoError(t, postgres.LoadAlone(t.Context(), empty, c.Dump))
	again := takeDump(t, postgres.New(empty, postgres.Options{}), true, func() {})
	require.Equal(t, c.Tables, again.Tables)
	for _, table := range c.Tables {
		require.Equal(t, c.lines(table.Name), again.lines(table.Name), table.Name)
	}
	require.Equal(t, schemaOf(t, b.Pool()), schemaOf(t, empty), "keys, triggers and their state too")
	_, err := empty.Exec(t.Context(), `INSERT INTO steps (deployment_id, run_id, step, phase, activity, attempt, host, status, started_at, finished_at)
		SELECT deployment_id, 'another', step, phase, activity, attempt, host, 'lost', now(), now() FROM steps`)
	require.NoError(t, err, "numbers go on after those that were filled in")
}

// schemaOf lists constraints and triggers.
func schemaOf(t *testing.T, pool *pgxpool.Pool) (all []string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || convalidated FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL
		SELECT tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
		 ORDER BY 1`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		all = append(all, one)
	}
	require.NoError(t, rows.Err())
	return all
}

// Somebody deploys and logs between any two tables: what is copied is of one moment.
func TestADumpIsOfOneMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	n := 0
	write := func() {
		n++
		d := b.deploy(p, fmt.Sprintf("branch/%d", n%3))
		b.logged(d, "a", "b")
	}
	write()
	c := takeDump(t, b.Store, true, write)
	require.Greater(t, n, 10)
	require.EqualValues(t, 1, c.Rows["deployments"])
	r, done := restored(t, c, postgres.RestoreOptions{})
	require.Equal(t, 1, done.Ended)
	var next, lines, head int
	require.NoError(t, r.Pool().QueryRow(t.Context(), "SELECT next_number FROM projects").Scan(&next))
	require.Equal(t, 2, next)
	require.NoError(t, r.Pool().QueryRow(t.Context(), "SELECT (SELECT count(*) FROM log_lines), (SELECT sum(seq) FROM log_heads)").Scan(&lines, &head))
	require.Equal(t, lines, head)
	require.Equal(t, 2, r.deploy(p, "branch/1").Number)
}

func TestADumpWithoutLogs(t *testing.T) {
	t.Parallel()
	b, _, live, _ := everything(t)
	c := takeDump(t, b.Store, false, func() {})
	for _, table := range c.Tables {
		require.NotContains(t, []string{"log_heads", "log_lines", "output_cursors"}, table.Name)
	}
	r, _ := restored(t, c, postgres.RestoreOptions{})
	r.logged(live, "the log begins anew")
}

func TestImagesOfASnapshot(t *testing.T) {
	t.Parallel()
	b, p, live, _ := everything(t)
	next := b.shown(p, "production", "sha256:5")
	require.NoError(t, b.Snapshot(t.Context(), func(s *postgres.Snapshot) error {
		images, err := s.Images(t.Context())
		require.NoError(t, err)
		require.Equal(t, []postgres.KeptImage{
			{Image: "app@sha256:5", Live: true, Project: "app", Environment: "production", Deployment: next.Number},
			{Image: "app@sha256:1", Project: "app", Environment: "production", Deployment: live.Number},
		}, images)
		return nil
	}))
}

// requireEmpty checks that a refused restore has left nothing.
func requireEmpty(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").Scan(&n))
	require.Zero(t, n)
}

func TestRestore_IsWholeOrNothing(t *testing.T) {
	t.Parallel()
	b, _, _, _ := everything(t)
	nothing := func() error { return nil }
	for want, spoil := range map[string]func(*copied, *postgres.RestoreOptions){
		"and the backup says":     func(c *copied, _ *postgres.RestoreOptions) { c.Rows["tokens"]++ },
		"missing data for column": func(c *copied, _ *postgres.RestoreOptions) { c.rows["tokens"] = c.rows["tokens"][:3] },
		"violates foreign key":    func(c *copied, _ *postgres.RestoreOptions) { c.rows["projects"], c.Rows["projects"] = nil, 0 },
		"lacks its table receipts": func(c *copied, _ *postgres.RestoreOptions) {
			c.Tables = slices.DeleteFunc(c.Tables, isTable("receipts"))
		},
		"newer than this slipway": func(c *copied, _ *postgres.RestoreOptions) { c.Schema++ },
		"no room, just before the end.": func(_ *copied, o *postgres.RestoreOptions) {
			o.Last = func() error { return errors.New("no room, just before the end.") }
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := takeDump(t, b.Store, true, func() {})
			o := postgres.RestoreOptions{Last: nothing}
			spoil(&c, &o)
			pool := postgrestest.NewEmpty(t)
			store := postgres.New(pool, postgres.Options{PreviewDomain: "localhost"})
			_, err := store.Restore(t.Context(), c.Dump, o)
			require.ErrorContains(t, err, want)
			requireEmpty(t, pool)
			_, err = store.Restore(t.Context(), takeDump(t, b.Store, true, func() {}).Dump, postgres.RestoreOptions{Last: nothing})
			require.NoError(t, err, "and another one may follow")
		})
	}
}

func isTable(name string) func(postgres.Table) bool {
	return func(t postgres.Table) bool { return t.Name == name }
}

func TestRestore_RefusesADatabaseThatIsInUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.dump()
	_, err := b.Restore(context.Background(), c.Dump, postgres.RestoreOptions{Last: func() error { return nil }})
	var f *deployment.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "restore.not_empty", f.Code)
	require.Contains(t, f.Fix, "SLIPWAY_DATA_DIR")
}

// Tables of others, in the database of the backup or in the one that it is restored into, are left alone.
func TestRestore_LeavesWhatIsNotSlipways(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.exec("CREATE TABLE theirs (id int); INSERT INTO theirs VALUES (1)")
	c := b.dump()
	pool := postgrestest.NewEmpty(t)
	_, err := pool.Exec(t.Context(), "CREATE TABLE others (id int PRIMARY KEY); INSERT INTO others VALUES (1)")
	require.NoError(t, err)
	done, err := postgres.New(pool, postgres.Options{}).Restore(t.Context(), c.Dump, postgres.RestoreOptions{Last: func() error { return nil }})
	require.NoError(t, err)
	require.Equal(t, []string{"theirs"}, done.LeftOut)
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM others").Scan(&n))
	require.Equal(t, 1, n)
}

// A backup of an older slipway: its schema is made, filled, and brought up to date as that of a running installation is.
func TestRestore_OfAnOlderSchema(t *testing.T) {
	t.Parallel()
	old := postgrestest.NewEmpty(t)
	require.NoError(t, postgres.MigrateTo(t.Context(), old, 7))
	_, err := old.Exec(t.Context(), `
		INSERT INTO installation (id) VALUES ('0123456789ab');
		INSERT INTO tokens (name, hash) VALUES ('admin', sha256('a')), ('admin', sha256('b'))`)
	require.NoError(t, err)
	c := takeDump(t, postgres.New(old, postgres.Options{}), true, func() {})
	require.Equal(t, 7, c.Schema)
	r, _ := restored(t, c, postgres.RestoreOptions{})
	require.NoError(t, postgres.CheckSchema(t.Context(), r.Pool()))
	tokens, _, err := r.Tokens(t.Context(), deployment.Page{})
	require.NoError(t, err)
	require.Len(t, tokens, 2)
	require.NotEqual(t, tokens[0].Name, tokens[1].Name, "as migration 8 sees to")
	id, err := r.InstallationID(t.Context())
	require.NoError(t, err)
	require.Equal(t, "0123456789ab", id)
}
