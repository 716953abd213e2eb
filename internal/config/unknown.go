package config

import (
	"maps"
	"slices"
	"strings"
)

// unknownVariables reports SLIPWAY_* variables that nothing reads. Those of another role are known.
func unknownVariables(variables map[string]string) Faults {
	var known []string
	for _, k := range allKeys() {
		known = append(known, k.env)
	}
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if slices.Contains(known, name) || slices.Contains(foreign, name) || strings.HasPrefix(name, testPrefix) {
			continue
		}
		faults = append(faults, Fault{Key: name, Problem: "is no variable of slipway", Fix: didYouMean(name, known)})
	}
	return faults
}

// unknownPaths reports keys of the file that nothing reads, and values in the wrong shape.
func unknownPaths(file string, values map[string]any) Faults {
	var known []string
	for _, k := range allKeys() {
		known = append(known, k.path)
	}
	var faults Faults
	walk("", values, func(path string, v any) {
		_, fits := plain(v)
		switch {
		case !slices.Contains(known, path):
			faults = append(faults, Fault{Key: file + ": " + path, Problem: "is no setting of slipway", Fix: didYouMean(path, known)})
		case !fits:
			faults = append(faults, Fault{Key: file + ": " + path, Problem: "is a section", Fix: "give a value or a list of values"})
		}
	})
	return faults
}

// didYouMean suggests the known name nearest to name, when it is near at all.
func didYouMean(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return "remove it, or see docs/configuration.md"
	}
	return "did you mean " + best + "?"
}

// editDistance counts the letters to insert, remove or replace to get from a to b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
