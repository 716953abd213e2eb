package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// instance is one run of a child's program.
type instance struct {
	owner  owner
	runDir string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has been waited for; cmd.ProcessState is set then
	copied chan struct{} // closed when the last holder of its output is gone
	output *os.File
}

// launch starts spec's program as the leader of its own session, so that a Ctrl-C on the terminal does not reach it, with
// nothing open but /dev/null and the log.
func launch(ctx context.Context, spec Spec, runDir string, log io.Writer) (*instance, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	in := &instance{
		runDir: runDir, exited: make(chan struct{}), copied: make(chan struct{}),
		owner: owner{
			Name: spec.Name, Executable: spec.Path, Mark: uuid.NewString(), BootID: boot,
			StopSignal: spec.StopSignal, StopTimeout: spec.StopTimeout,
		},
	}
	if err := in.owner.write(runDir); err != nil {
		return nil, err
	}
	if err := in.start(spec, log); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", spec.Path, err), forget(ownerPath(runDir, spec.Name)))
	}
	// The process is unreaped until wait runs, so its pid is its own even if it has exited.
	in.owner.Process, _ = find(in.cmd.Process.Pid)
	err = in.owner.write(runDir)
	go in.wait()
	if err != nil {
		return nil, errors.Join(err, in.end(context.WithoutCancel(ctx)))
	}
	return in, nil
}

// start starts the process and the copying of its output.
func (in *instance) start(spec Spec, log io.Writer) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	in.output = r
	if err := KeepDescriptors(); err != nil {
		_ = r.Close()
		return err
	}
	in.cmd = exec.Command(spec.Path, spec.Args...)
	in.cmd.Env = append(slices.Clone(spec.Env), markVariable+"="+in.owner.Mark)
	in.cmd.Dir = spec.Dir
	in.cmd.Stdout, in.cmd.Stderr = w, w
	in.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Credential: spec.Credential, AmbientCaps: spec.AmbientCaps,
		Cloneflags: spec.CloneFlags, Unshareflags: spec.UnshareFlags,
	}
	if err := in.cmd.Start(); err != nil {
		_ = r.Close()
		return err
	}
	go func() {
		defer close(in.copied)
		_, _ = io.Copy(log, r) // ends when the last writer is gone, or at end
		_ = r.Close()
	}()
	return nil
}

// KeepDescriptors marks every open file but the standard three close-on-exec. Go's own are; those that this process was
// started with are not, and a child that kept one would hold the terminal or pipe of whoever ran `make up`.
func KeepDescriptors() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd) // one that was closed meanwhile needs no mark
		}
	}
	return nil
}

func (in *instance) wait() {
	_ = in.cmd.Wait() // the outcome stays in ProcessState
	close(in.exited)
}

// outcome describes how the process ended. Only for an instance that has exited.
func (in *instance) outcome() string { return in.cmd.ProcessState.String() }

// waitReady asks ready until it agrees, the process exits, or the time-out passes.
func (in *instance) waitReady(ctx context.Context, spec Spec) error {
	if spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, spec.ReadyTimeout)
	defer cancel()
	ticker := time.NewTicker(5 * pollInterval)
	defer ticker.Stop()
	for {
		err := spec.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-in.exited:
			return fmt.Errorf("ended before it was ready: %s", in.outcome())
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", spec.ReadyTimeout, err)
		case <-ticker.C:
		}
	}
}

// end stops the process and its family and forgets it. It returns when the output has been copied.
func (in *instance) end(ctx context.Context) error {
	o := in.owner
	if err := end(ctx, o.Process, o.Mark, o.StopSignal, o.StopTimeout); err != nil {
		_ = in.output.SetReadDeadline(time.Now()) // do not wait for the output of what cannot be ended
		<-in.copied
		return err // the owner file stays for Reclaim
	}
	<-in.exited
	in.drain()
	return forget(ownerPath(in.runDir, o.Name))
}

// drain takes what the dead process left in the pipe, but does not wait for a stranger that holds the pipe open.
func (in *instance) drain() {
	select {
	case <-in.copied:
	case <-time.After(time.Second):
		_ = in.output.SetReadDeadline(time.Now())
		<-in.copied
	}
}
