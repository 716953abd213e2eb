package planner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	maxPlanBytes   = 4 << 20
	maxStderrBytes = 64 << 10
)

var (
	errTimeout  = errors.New("took too long")
	errTooLarge = errors.New("wrote too much")
)

// program is an executable that looks at a repository for slipway.
type program struct {
	path        string
	environment []string // beyond PATH and HOME
	timeout     time.Duration
	tempDir     string
}

// run executes the program in a process group of its own, with an empty home and an environment that holds nothing of the
// host's, and returns its standard output and the lines of its error output, in which paths of dir are shown relative to
// it. The error is errTimeout, errTooLarge, the cause that ctx ended with, or what became of the process.
func (p program) run(ctx context.Context, dir string, args ...string) (stdout []byte, stderr []string, err error) {
	home, err := os.MkdirTemp(p.tempDir, "slipway-home-*")
	if err != nil {
		return nil, nil, fmt.Errorf("make an empty home: %w", err)
	}
	defer os.RemoveAll(home)

	limited, stop := context.WithTimeoutCause(ctx, p.timeout, errTimeout)
	defer stop()
	limited, overflow := context.WithCancelCause(limited)
	defer overflow(nil)
	out := &cappedBuffer{max: maxPlanBytes, full: func() { overflow(errTooLarge) }}
	complaints := &cappedBuffer{max: maxStderrBytes}

	cmd := exec.CommandContext(limited, p.path, args...)
	cmd.Dir, cmd.Env = home, slices.Concat([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home}, p.environment)
	cmd.Stdout, cmd.Stderr = out, complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild in another group may hold the pipes open

	err = cmd.Run()
	if cause := context.Cause(limited); err != nil && cause != nil {
		err = cause
	} else if err == nil && out.overflowed {
		err = errTooLarge
	}
	return out.Bytes(), relativeLines(complaints.String(), dir), err
}

// outOfSpace reports whether a line tells of a full disk: the host's trouble, not the repository's.
func outOfSpace(line string) bool {
	return strings.Contains(strings.ToLower(line), syscall.ENOSPC.Error())
}

func relativeLines(text, dir string) []string {
	if dir != "" {
		text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
		text = strings.ReplaceAll(text, dir, ".")
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, strings.ToValidUTF8(line, "\uFFFD"))
		}
	}
	return lines
}

func tail(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }
