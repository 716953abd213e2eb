package main

import (
	"io"
	"strings"
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
	b := &bench{results: map[string]*comparison{}, slipway: &slipwaySide{engine: &engine{}}}
	for _, name := range compared {
		b.results[name] = &comparison{}
	}
	require.Equal(t, 5, strings.Count(b.goals(), "not measured"))
	require.False(t, b.judged())

	b.results[caseCold].add("node", pairOf(3*time.Second, 4*time.Second))
	b.results[caseCold].add("go", pairOf(9*time.Second, 10*time.Second))
	b.results[caseSame].add("node", pairOf(time.Second, 10*time.Second))
	b.results[caseFour].add("all", pairOf(9*time.Second, 10*time.Second))
	require.False(t, b.judged(), "one line changed is missing")
	b.slipway.engine.costs = []cost{{as: caseCold, idle: 301 * time.Millisecond}, {as: caseFour, idle: time.Minute}}
	require.Equal(t, `| | goal | measured | |
|---|---:|---:|---|
| cold, slipway ÷ bare | ≤ 0.75 | node 0.75, go 0.90 | missed by go |
| one line changed, slipway ÷ bare | ≤ 0.35 | not measured |  |
| same commit again, slipway ÷ bare | ≤ 0.10 | node 0.10 | met |
| all at once, cold, slipway ÷ bare | ≤ 0.75 | all 0.90 | missed |
| in no activity, p95 of a deploy alone | ≤ 300.0 ms | 301.0 ms | missed |
`, b.goals())
}

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "make bench ROUNDS=10 LIMIT=25m0s CASES=warm,cold,four,memory,compression,ingest,api APPS=node,python,go,dockerfile", o.command())

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
