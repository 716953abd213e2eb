package chaos_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// measured are the processes whose memory is looked at, and what each may take at most, the race detector included.
var measured = []struct {
	name string
	most uint64
}{{"api", 400 << 20}, {"worker", 600 << 20}, {"temporal", 1 << 30}}

// fairLead is how far one project may be ahead of another that waits as well: they take turns, and which of two deploys that
// were given their slots at the same moment began first is chance.
const fairLead = 2

// restartWith restarts API, worker and gateway in order with other settings, and with their own when the test ends. What memory they and
// Temporal take is counted from then on.
func restartWith(t *testing.T, settings ...string) {
	t.Helper()
	restart := func(ctx context.Context, settings ...string) {
		in.settings = settings
		for _, name := range []string{"api", "worker", "gateway"} {
			require.NoError(t, in.part(name).terminate())
			require.NoError(t, in.part(name).start(ctx))
		}
	}
	restart(t.Context(), settings...)
	t.Cleanup(func() { restart(context.WithoutCancel(t.Context())) })
	for _, m := range measured {
		require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", in.part(m.name).cmd.Process.Pid), []byte("5"), 0))
	}
}

// peak returns the most memory that a process has had at a time, as the kernel counts it.
func peak(t *testing.T, name string) uint64 {
	t.Helper()
	p, err := procfs.NewProc(in.part(name).cmd.Process.Pid)
	require.NoError(t, err)
	status, err := p.NewStatus()
	require.NoError(t, err)
	return status.VmHWM
}

// table judges and writes down what was measured.
func (p *pressed) table(t *testing.T, took time.Duration) string {
	t.Helper()
	lead := p.lead(t)
	require.LessOrEqual(t, lead, fairLead, "so many more builds did one project begin than another that stood in line as well")
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | "+format+" |\n", append([]any{what}, args...)...)
	}
	b.WriteString("| | |\n|---|---:|\n")
	line("deploys", "%d", len(p.line)+len(p.accepted))
	line("projects, environments, build slots", "%d, %d, %d", p.projects(), len(p.places), p.slots)
	line("`SLIPWAY_MAX_QUEUED`", "%d", p.bound)
	line("in line for a slot before the burst", "%d", len(p.line))
	line("of the burst accepted at once", "%d", p.atFirst)
	line("answers 429", "%d", p.refusals)
	line("from the burst until all were `ready`", "%s", took.Round(time.Second))
	line("a project ahead of another in the line, at most", "%d", lead)
	for _, m := range measured {
		most := peak(t, m.name)
		require.Less(t, most, m.most, "bytes of memory of %s", m.name)
		line("memory of "+m.name+", at most", "%d MiB", most>>20)
	}
	return b.String()
}

func (p *pressed) projects() int {
	var names []string
	for _, at := range p.places {
		names = append(names, at.app.project)
	}
	return len(slices.Compact(names))
}

// lead is the most deploys that one project began to build more than another that had one in line all the while.
func (p *pressed) lead(t *testing.T) (most int) {
	t.Helper()
	rows, err := in.db.Query(t.Context(), `SELECT p.name FROM steps s JOIN deployments d ON d.id = s.deployment_id JOIN projects p ON p.id = d.project_id
		WHERE s.step = 'fetch' AND d.id = ANY ($1) GROUP BY d.id, p.name ORDER BY min(s.started_at)`, p.line)
	require.NoError(t, err)
	order, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, order, len(p.line))
	return leadIn(order)
}

func leadIn(order []string) (most int) {
	waiting, begun := map[string]int{}, map[string]int{}
	for _, project := range order {
		waiting[project]++
	}
	for _, project := range order {
		waiting[project]--
		begun[project]++
		for other, n := range waiting {
			if n > 0 {
				most = max(most, begun[project]-begun[other])
			}
		}
	}
	return most
}

func TestLeadTellsTurnsFromALine(t *testing.T) {
	require.Equal(t, 1, leadIn(strings.Split("abcabcabc", "")))
	require.Equal(t, 3, leadIn(strings.Split("aaabbbccc", "")))
}

// requireOrder checks that deploys of one environment became ready in the order in which they were accepted.
func (p *pressed) requireOrder(t *testing.T) {
	t.Helper()
	var backwards int
	require.NoError(t, in.db.QueryRow(t.Context(), `SELECT count(*) FROM deployments older JOIN deployments newer USING (environment_id)
		JOIN projects p ON p.id = older.project_id
		WHERE p.name LIKE 'pressed-%' AND older.number < newer.number AND older.ready_at >= newer.ready_at`).Scan(&backwards))
	require.Zero(t, backwards, "pairs of one environment that became ready in another order than they were accepted in")
}

// requireInvariants checks the newest deploy of each environment, and by that that nothing is left of the older ones.
func (p *pressed) requireInvariants(t *testing.T) {
	t.Helper()
	t.Run("invariants", func(t *testing.T) {
		for _, at := range p.places {
			t.Run(at.app.project+"/"+at.env, func(t *testing.T) {
				t.Parallel()
				var newest string
				require.NoError(t, in.db.QueryRow(t.Context(), `SELECT d.id FROM deployments d JOIN environments e ON e.id = d.environment_id
					JOIN projects p ON p.id = d.project_id WHERE p.name = $1 AND e.name = $2 ORDER BY d.number DESC LIMIT 1`, at.app.project, at.env).Scan(&newest))
				requireInvariants(t, at.app, newest)
			})
		}
	})
}
