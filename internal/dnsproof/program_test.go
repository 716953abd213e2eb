package dnsproof_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/dnsproof"
	"github.com/slipway-dev/slipway/internal/dnsproof/knottest"
)

// What a program prints is shortened when no secret is in it any more, so that none is cut in two.
func TestSolver_NoPartOfASecretIsShown(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	self, err := os.Executable()
	require.NoError(t, err)
	long := strings.Repeat("hush", 500)
	for name, c := range map[string]struct{ script, password, want string }{
		"shown in part":    {`printf "%s%0497d" "$API_PASSWORD" 0; false`, "hush-hush", "exit status 1: ***0000"},
		"cut by the end":   {`printf "%02000d%s%0497d" 0 "$API_PASSWORD" 0; false`, "hush-hush", " … ***0000"},
		"kept in part":     {`for i in $(seq 100); do printf %s "$API_PASSWORD"; done; printf "\nover"; false`, long, "exit status 1: over"},
		"never a new line": {`for i in $(seq 100); do printf %s "$API_PASSWORD"; done; false`, long, "exit status 1: "},
	} {
		s, _ := solverOf(t, server, "exec", map[string]string{"EXEC_PATH": self, "API_PASSWORD": c.password, scripted: c.script})
		err := s.Present(t.Context(), challengeOf("program.example.test"))
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "ush", name)
		require.Less(t, len(err.Error()), 1200, name)
	}
}

func TestSolver_ASecretMayBePartOfAnother(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	self, err := os.Executable()
	require.NoError(t, err)
	const longest = "hush0123456789"
	credentials := map[string]string{"EXEC_PATH": self, scripted: `echo "<$PASSWORD_14>"; false`}
	for n := 4; n <= len(longest); n++ {
		credentials[fmt.Sprintf("PASSWORD_%d", n)] = longest[:n]
	}
	s, _ := solverOf(t, server, "exec", credentials)
	require.ErrorContains(t, s.Present(t.Context(), challengeOf("program.example.test")), "exit status 1: <***>")
}

// The URL of a request is not the one that was given.
func TestSolver_AURLMayHoldSecrets(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	for provider, name := range map[string]string{"httpreq": "HTTPREQ_ENDPOINT", "acme-dns": "ACME_DNS_API_BASE"} {
		s, _ := solverOf(t, server, provider, map[string]string{name: "http://token-a:token-b@127.0.0.1:1/dns?key=token-c"})
		err := s.Present(t.Context(), challengeOf("endpoint.example.test"))
		require.ErrorContains(t, err, "127.0.0.1:1: connect: connection refused")
		require.NotContains(t, err.Error(), "token-")
	}
}

func TestSolver_AProgramEndsWithItsChildren(t *testing.T) {
	t.Parallel()
	server := knottest.Shared(t)
	self, err := os.Executable()
	require.NoError(t, err)
	held := filepath.Join(t.TempDir(), "held")
	require.NoError(t, syscall.Mkfifo(held, 0o600))
	s, _ := solverOf(t, server, "exec", map[string]string{"EXEC_PATH": self, "HELD": held, scripted: `sleep 600 9>"$HELD" & wait`})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Present(ctx, challengeOf("program.example.test")) }()
	pipe, err := os.Open(held) // which waits for the child
	require.NoError(t, err)
	defer pipe.Close()
	cancel()
	require.ErrorContains(t, <-ended, "present: context canceled")
	require.NoError(t, pipe.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = io.ReadAll(pipe)
	require.NoError(t, err, "the child still holds the pipe")
}

// stuck is a provider that never has an answer.
type stuck struct{}

func (stuck) Present(ctx context.Context, _, _, _ string) error {
	return stuck{}.CleanUp(ctx, "", "", "")
}

func (stuck) CleanUp(ctx context.Context, _, _, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestSolver_CleanUpHasLessTimeInAGatewayThatEnds(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 30 * time.Second: 40 * time.Second, time.Hour: 2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			begun := time.Now()
			require.Error(t, dnsproof.SolverOf(stuck{}).CleanUp(ctx, challengeOf("stuck.example.test")))
			require.Equal(t, want, time.Since(begun))
		})
	}
}

func TestNameServer(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "ns.example.com": "ns.example.com:53",
		"2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]": "[2001:db8::1]:53", "[2001:db8::1]:5353": "[2001:db8::1]:5353",
	} {
		require.Equal(t, want, dnsproof.NameServer(given))
	}
}
