package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPackingTable(t *testing.T) {
	t.Parallel()
	ways := packings()[:2]
	ways[0].bytes, ways[0].shares = 12_340_000, map[string][]float64{"exporting": {1, 3}, "pushing": {0.5, 0.5}, "pull": {2, 2}, "all": {3.5, 5.5}}
	ways[1].bytes, ways[1].shares = 10_000_000, map[string][]float64{"exporting": {2, 4}, "pushing": {0.5, 0.5}, "pull": {1, 1}, "all": {7, 5.5}}
	require.Equal(t, `| | rounds | size, MB | compressed, s | pushed, s | pulled and unpacked, s | together, s | ÷ gzip 1 |
|---|---:|---:|---:|---:|---:|---:|---:|
| gzip 1 | 2 | 12.3 | 2.00 (1.00–3.00) | 0.50 (0.50–0.50) | 2.00 (2.00–2.00) | 4.50 (3.50–5.50) | 1.00 (1.00–1.00) |
| gzip 6 | 2 | 10.0 | 3.00 (2.00–4.00) | 0.50 (0.50–0.50) | 1.00 (1.00–1.00) | 6.25 (5.50–7.00) | 1.50 (1.00–2.00) |
`, packingTable(ways))

	ways[1].refused = true
	require.Contains(t, packingTable(ways), "| gzip 6 | 2 | 10.0 | 3.00 (2.00–4.00) | 0.50 (0.50–0.50) | refused by the engine | – | – |\n")
}
