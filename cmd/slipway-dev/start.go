package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/supervise"
)

const (
	startLimit = 10 * time.Minute // each part has a bound of its own; this one is for what nobody thought of
	silence    = 10 * time.Second // after which a start says that it goes on
)

// start starts `slipway-dev run` in a session of its own, with nothing of the caller's open, and shows its progress until
// it is ready.
func (d detached) start(ctx context.Context, self string, want record) error {
	output, err := d.newLog()
	if err != nil {
		return err
	}
	defer output.Close()
	if err := remove(d.progress()); err != nil {
		return err
	}
	if err := supervise.KeepDescriptors(); err != nil {
		return err
	}
	cmd := exec.Command(self, "run", "--log-file", d.log("slipway-dev"))
	cmd.Env, cmd.Stdout, cmd.Stderr = d.environ, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start slipway-dev: %w", err)
	}
	exited := make(chan string, 1)
	go func() {
		_ = cmd.Wait() // the outcome stays in ProcessState
		exited <- cmd.ProcessState.String()
	}()
	want.PID = cmd.Process.Pid
	if err := want.write(d.paths); err != nil {
		return err
	}
	err = d.awaitReady(ctx, want.PID, exited)
	if errors.Is(err, errEnded) {
		return errors.Join(err, remove(d.record())) // nothing that could be missed later
	}
	return err
}

var errEnded = errors.New("slipway-dev ended while starting")

// newLog opens an empty log, which the process takes over, and keeps those before, where a process that died may have said why.
func (d detached) newLog() (*os.File, error) {
	path := d.log("slipway-dev")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := supervise.ShiftLogs(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

// released tells when a process that is no child of ours has given up the data directory.
func (d detached) released(ctx context.Context) <-chan string {
	exited := make(chan string, 1)
	go func() {
		gone := func() bool { pid, err := runningPID(d.DataDir); return err == nil && pid == 0 }
		if eventually(ctx, startLimit, gone) {
			exited <- "perhaps another command has stopped it"
		}
	}()
	return exited
}

// awaitReady shows the progress of process pid until it is ready. exited tells how it ended, if it does.
func (d detached) awaitReady(ctx context.Context, pid int, exited <-chan string) error {
	begun, shown, told := time.Now(), 0, time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		data, _ := os.ReadFile(d.progress()) // not there yet
		if i := bytes.LastIndexByte(data, '\n') + 1; i > shown {
			for line := range strings.Lines(string(data[shown:i])) {
				fmt.Fprint(d.out, "    ", line)
			}
			shown, told = i, time.Now()
		}
		if d.saysReady() && answers(ctx, d.API.Addr) {
			return nil
		}
		select {
		case how := <-exited:
			return fmt.Errorf("%w (%s):\n%s\n  the whole log: %s", errEnded, how, reason(d.log("slipway-dev"), 0), d.log("slipway-dev"))
		case <-ctx.Done():
			return fmt.Errorf("interrupted: slipway-dev goes on starting in the background (process %d): `make up` shows how it went, `make down` stops it", pid)
		case <-tick.C:
		}
		switch waited := time.Since(begun); {
		case waited > startLimit:
			return fmt.Errorf("slipway-dev (process %d) is not ready after %s: see %s; `make down` stops it", pid, startLimit, d.log("slipway-dev"))
		case time.Since(told) > silence:
			fmt.Fprintf(d.out, "    still starting after %.0fs (log: %s)\n", waited.Seconds(), d.log("slipway-dev"))
			told = time.Now()
		}
	}
}

// saysReady reports whether the progress of the current start has come to its end.
func (p paths) saysReady() bool {
	data, err := os.ReadFile(p.progress())
	return err == nil && bytes.HasSuffix(data, []byte(" "+ready+"\n"))
}

// reason returns the error that a log ends in, or else its last lines. The first skip bytes are of an earlier run.
func reason(path string, skip int64) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "  " + err.Error()
	}
	if skip <= int64(len(data)) { // else the log has begun anew
		data = data[skip:]
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	from := max(0, len(lines)-8)
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, errorMark); ok {
			lines[i], from = rest, i
		}
	}
	return "  " + strings.Join(lines[from:], "\n  ")
}
