package main

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	require.Equal(t, spread{1, 7, 7, 7}, spreadOf([]float64{7}))
	require.Equal(t, spread{3, 2, 1, 9}, spreadOf([]float64{9, 1, 2}), "of few: the least and the greatest")
	require.Equal(t, spread{5, 3, 2, 4}, spreadOf([]float64{5, 1, 4, 2, 3}), "the quartiles")
	require.Equal(t, spread{4, 2.5, 1.75, 3.25}, spreadOf([]float64{4, 3, 2, 1}), "between two values in proportion")
	require.True(t, math.IsNaN(quantile(nil, 0.5)))

	require.Equal(t, "14.2 (13.9–20.1)", spread{3, 14.23, 13.88, 20.06}.seconds())
	require.Equal(t, "0.75 (0.71–1.20)", spread{3, 0.7512, 0.709, 1.2}.seconds())
	require.Equal(t, "0.08 (0.07–0.11)", spread{3, 0.0841, 0.07, 0.11}.ratio())
}

func pairOf(slipway, bare time.Duration) pair {
	return pair{slipway: sample{took: slipway}, bare: sample{took: bare}}
}

func TestRatiosArePaired(t *testing.T) {
	t.Parallel()
	// The machine was slow in the second round: the ratio of the medians would be 3 ÷ 4.
	pairs := []pair{pairOf(time.Second, 4*time.Second), pairOf(10*time.Second, 40*time.Second), pairOf(3*time.Second, 2*time.Second)}
	require.Equal(t, []float64{0.25, 0.25, 1.5}, ratios(pairs))
}

func TestBreakdown(t *testing.T) {
	t.Parallel()
	samples := []sample{
		{took: 10 * time.Second, phases: []phase{{"clone", time.Second}, {"solve", 8 * time.Second}}},
		{took: 12 * time.Second, phases: []phase{{"clone", time.Second}, {"solve", 8 * time.Second}, {"pushing", time.Second}}},
	}
	require.Equal(t, "clone 1.00, solve 8.00, pushing 1.00, other 1.50", breakdown(samples))
}
