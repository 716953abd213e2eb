package main

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCtrlCEndsAQuestion(t *testing.T) {
	t.Parallel()
	never, unused := io.Pipe()
	t.Cleanup(func() { _ = unused.Close() })
	var stdout, stderr buffer
	c := user(t, newFakeAPI(t)).cli(&stdout, &stderr)
	c.stdin, c.screen.stdin = never, true
	ctx, interrupt := context.WithCancel(context.Background())
	done := make(chan int)
	go func() { done <- c.run(ctx, []string{"login"}) }()
	require.Eventually(t, func() bool { return stderr.String() != "" }, eventually, tick)
	interrupt()
	require.Equal(t, exitInterrupted, <-done)
	require.Contains(t, stderr.String(), "API URL [http://127.0.0.1:")
	require.Contains(t, stderr.String(), "interrupted\n")
}
