package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestComparisonTable(t *testing.T) {
	t.Parallel()
	var c comparison
	c.add("node", pair{
		slipway: sample{took: 3 * time.Second, phases: []phase{{"solve", 2 * time.Second}}},
		bare:    sample{took: 12 * time.Second, phases: []phase{{"clone", time.Second}}},
	})
	c.add("go", pairOf(2*time.Second, 4*time.Second))
	c.add("node", pairOf(6*time.Second, 12*time.Second))
	require.Equal(t, `| | rounds | slipway, s | bare, s | slipway ÷ bare |
|---|---:|---:|---:|---:|
| node | 2 | 4.50 (3.00–6.00) | 12.0 (12.0–12.0) | 0.38 (0.25–0.50) |
| go | 1 | 2.00 (2.00–2.00) | 4.00 (4.00–4.00) | 0.50 (0.50–0.50) |

- node, slipway: solve 2.00, other 3.50
- node, bare: clone 1.00, other 11.50
`, c.table())
}

func TestGoalsAreJudgedByWhatWasMeasured(t *testing.T) {
	t.Parallel()
	c := &comparison{}
	c.add("node", pairOf(3*time.Second, 4*time.Second))
	require.Equal(t, "Goal, slipway ÷ bare ≤ 0.75: node 0.75. It is met.\n", c.verdict(0.75))
	c.add("go", pairOf(9*time.Second, 10*time.Second))
	require.Equal(t, "Goal, slipway ÷ bare ≤ 0.75: node 0.75, go 0.90. It is missed by go.\n", c.verdict(0.75))
	require.Equal(t, "Goal, slipway ÷ bare ≤ 0.35: node 0.75, go 0.90. It is missed.\n", c.verdict(0.35))

	costs := []cost{{as: caseCold, idle: 301 * time.Millisecond}, {as: caseFour, idle: time.Minute}}
	require.Contains(t, engineTable(costs), "Goal, p95 of a deploy alone ≤ 300.0 ms: 301.0 ms. It is missed.\n")
	costs[0].idle = 300 * time.Millisecond
	require.Contains(t, engineTable(costs), "It is met.\n")
}

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "make bench ROUNDS=10 LIMIT=25m0s CASES=warm,cold,four,memory,compression,ingest,lease,gateway,api APPS=node,python,go,dockerfile", o.command())

	_, err = parse([]string{"-rounds", "0", "-cases", "cold,hot", "-apps", "node,perl"}, io.Discard)
	for _, fault := range []string{`-rounds: 0`, `-cases: there is no "hot"`, `-apps: there is no "perl"`} {
		require.ErrorContains(t, err, fault)
	}
}

func TestMemoryTable(t *testing.T) {
	t.Parallel()
	require.Equal(t, `| MiB | idle | 8 deploys running |
|---|---:|---:|
| slipway-dev | 100 | 200 |
| slipway-temporal | 0 | 0 |
| postgres | 0 | 0 |
| buildkitd | 0 | 50 |
`, memoryTable(map[string]uint64{"slipway-dev": 100 << 20}, map[string]uint64{"slipway-dev": 200 << 20, "buildkitd": 50<<20 + 1}))
}
