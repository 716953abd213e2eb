package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// few is how many values have no quartiles worth the name: they are shown with the least and the greatest.
const few = 4

// spread is a median with the range that it stands in: the quartiles, or of few values the least and the greatest.
type spread struct {
	n                 int
	median, low, high float64
}

func spreadOf(values []float64) spread {
	if len(values) < few {
		return spread{len(values), quantile(values, 0.5), quantile(values, 0), quantile(values, 1)}
	}
	return spread{len(values), quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75)}
}

// quantile returns the value below which the share q of all lies, between two of them in proportion; NaN of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// seconds shows a spread of seconds.
func (s spread) seconds() string {
	digits := 1
	if s.median < 10 {
		digits = 2
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.median, digits, s.low, digits, s.high)
}

// ratio shows a spread of ratios.
func (s spread) ratio() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.low, s.high) }

// sample is one deploy, or several at once.
type sample struct {
	took   time.Duration // until the last one answered
	phases []phase       // of that one
}

// phase is a part of a deploy. What no phase covers is shown too: see breakdown.
type phase struct {
	name string
	took time.Duration
}

func total(phases []phase) (sum time.Duration) {
	for _, p := range phases {
		sum += p.took
	}
	return sum
}

// pair is what a round has measured of an app: the two sides, one right after the other.
type pair struct{ slipway, bare sample }

// ratios are those of each round, so that what slows the machine down for a while slows both sides.
func ratios(pairs []pair) []float64 {
	var all []float64
	for _, p := range pairs {
		all = append(all, p.slipway.took.Seconds()/p.bare.took.Seconds())
	}
	return all
}

func took(samples []sample) []float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, s.took.Seconds())
	}
	return all
}

// sides returns the samples of each side.
func sides(pairs []pair) (slipway, bare []sample) {
	for _, p := range pairs {
		slipway, bare = append(slipway, p.slipway), append(bare, p.bare)
	}
	return slipway, bare
}

// otherTime is the time of a sample that none of its phases covers.
const otherTime = "other"

// breakdown says in one line where the median time of samples goes.
func breakdown(samples []sample) string {
	var names []string
	of := map[string][]float64{}
	add := func(name string, took time.Duration) {
		if of[name] == nil {
			names = append(names, name)
		}
		of[name] = append(of[name], took.Seconds())
	}
	for _, s := range samples {
		rest := s.took
		for _, p := range s.phases {
			add(p.name, p.took)
			rest -= p.took
		}
		of[otherTime] = append(of[otherTime], rest.Seconds())
	}
	var parts []string
	for _, name := range append(names, otherTime) {
		parts = append(parts, fmt.Sprintf("%s %.2f", name, quantile(of[name], 0.5)))
	}
	return strings.Join(parts, ", ")
}
