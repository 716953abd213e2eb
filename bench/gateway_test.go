package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGatewayTable(t *testing.T) {
	t.Parallel()
	var c comparison
	for _, p := range passages {
		for range 3 {
			c.add(p.what, pair{slipway: sample{took: 4 * time.Second}, bare: sample{took: 2 * time.Second}})
		}
	}
	require.Contains(t, gatewayTable(c), "| answers of 1 KiB | 3 | 2000 | 4000 | 0.50 (0.50–0.50) |\n")
}

func TestGatewayMemory(t *testing.T) {
	t.Parallel()
	_, memory, stop := follow(t.Context(), "127.0.0.1:1") // nobody answers there; a visit counts all the same
	stop()
	require.Regexp(t, `^Memory per 1000 routes: \d+\.\d\d MiB, and \d+\.\d\d MiB once`, memory)
}
