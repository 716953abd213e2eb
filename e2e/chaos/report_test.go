package chaos_test

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

var report = flag.String("report", "", "file whose parts between the marks are written anew with the tables of TestMatrix, TestCancelLatency, TestBackpressure and TestSwap")

// result is how one cell went.
type result struct {
	failed  bool
	seconds float64
}

// results are those of the matrix, by act and moment.
type results struct {
	mu sync.Mutex
	of map[[2]string]result
}

func (r *results) add(act, moment string, how result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[[2]string]result{}
	}
	r.of[[2]string{act, moment}] = how
}

// table is the matrix in Markdown. What was not run says so.
func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---%s|\n", strings.Join(names(), " | "), strings.Repeat("|---:", len(moments)))
	for _, act := range acts {
		fmt.Fprintf(&b, "| %s", act)
		for _, moment := range names() {
			cell := "not run"
			if result, ran := r.of[[2]string{act, moment}]; ran && result.failed {
				cell = "**failed**"
			} else if ran {
				cell = fmt.Sprintf("%.1f", result.seconds)
			}
			fmt.Fprintf(&b, " | %s", cell)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// write puts the table, the date and the machine into the report.
func (r *results) write(t *testing.T, path string) {
	t.Helper()
	how := map[string]string{"short": "the cells of `make test`", "together": "each act once, deploys at all moments under way", "single": "cell by cell"}
	rewrite(t, path, "matrix", fmt.Sprintf("Run on %s, %s, on %s. Seconds from the act until everything was as it should be.\n\n%s",
		time.Now().UTC().Format(time.DateOnly), how[*cells], machine(t), r.table()))
}

// rewrite writes what lies between the two marks of a name in a file anew.
func rewrite(t *testing.T, path, name, text string) {
	t.Helper()
	require.NoError(t, testbed.Rewrite(path, name, text))
}

// machine describes what the matrix ran on.
func machine(t *testing.T) string {
	t.Helper()
	text, err := testbed.Machine()
	require.NoError(t, err)
	return text
}
