package buildkit_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
)

// stack is shared by the tests of this package: a cold buildkitd takes seconds to start.
var stack *buildkittest.Stack

func TestMain(m *testing.M) {
	var err error
	if stack, err = buildkittest.Open(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := stack.Close(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
