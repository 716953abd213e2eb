package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/supervise"
)

// roleVariable makes the test binary play a part in a process of its own.
const roleVariable = "SUPERVISE_TEST_ROLE"

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "supervisor":
		playSupervisor(os.Args[1], os.Args[2])
	case "talker":
		talk(os.Args[1])
	case "holder":
		_, err := supervise.Lock(os.Args[1])
		playUntilKilled(err)
	default:
		os.Exit(m.Run())
	}
}

// playSupervisor supervises one child that runs script, and never stops it.
func playSupervisor(dir, script string) {
	s, err := supervise.New(filepath.Join(dir, "run"), quickly, quiet)
	if err == nil {
		err = s.Start(context.Background(), shell(dir, "child", script))
	}
	playUntilKilled(err)
}

// talk writes numbered lines to its own log in every way that a program has, and ends in a panic.
func talk(path string) {
	log, err := supervise.OwnLog(path, 250)
	if err != nil {
		panic(err)
	}
	for n := range 50 {
		for _, w := range []io.Writer{log, os.Stdout, os.Stderr} {
			fmt.Fprintf(w, "line %d\n", n)
		}
	}
	panic("last words")
}

func playUntilKilled(err error) {
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, "ready")
	select {}
}

// play runs a part of TestMain and returns when it is ready; kill ends it with SIGKILL.
func play(t *testing.T, role string, args ...string) (kill func()) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return kill
}

// quickly is a backoff for tests.
var quickly = supervise.Backoff{Initial: 10 * time.Millisecond, Max: 40 * time.Millisecond, ResetAfter: time.Minute}

// shell is a child that runs script in dir and is ready once the script made the file <name>.up.
func shell(dir, name, script string) supervise.Spec {
	return supervise.Spec{
		Name: name, Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: dir,
		Ready: func(context.Context) error {
			_, err := os.Stat(filepath.Join(dir, name+".up"))
			return err
		},
		ReadyTimeout: 10 * time.Second,
		LogFile:      filepath.Join(dir, name+".log"),
	}
}

func newSupervisor(t *testing.T, dir string) *supervise.Supervisor {
	t.Helper()
	s, err := supervise.New(filepath.Join(dir, "run"), quickly, quiet)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

// pidIn reads a pid that a script wrote.
func pidIn(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	return pid
}

// runs reports whether a process runs; a zombie does not.
func runs(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if os.IsNotExist(err) || err != nil && strings.Contains(err.Error(), syscall.ESRCH.Error()) {
		return false
	}
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
