package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/testbed"
)

// process is a part of the installation that can be killed and started again on its own.
type process struct {
	name    string
	command func() *exec.Cmd                // a new one for each start
	before  func(ctx context.Context) error // may be nil
	ready   func(ctx context.Context) error
	log     string

	cmd    *exec.Cmd
	exited <-chan struct{}
}

const (
	tick    = 50 * time.Millisecond
	startIn = 5 * time.Minute
)

// start starts the process and waits until it can be used. One that ends at once is started again, as whatever supervises
// it would: a postmaster refuses to start while a child of its predecessor lives.
func (p *process) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startIn)
	defer cancel()
	for {
		if err := p.begin(ctx); err != nil {
			return fmt.Errorf("start %s: %w", p.name, err)
		}
		err := p.awaitReady(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, 4*tick); err != nil {
			return err
		}
	}
}

func (p *process) begin(ctx context.Context) error {
	if p.before != nil {
		if err := p.before(ctx); err != nil {
			return err
		}
	}
	output, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	p.cmd = p.command()
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.exited, err = testbed.Start(p.cmd, syscall.SIGKILL)
	return err
}

func (p *process) awaitReady(ctx context.Context) error {
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended while starting (%s); see %s", p.name, p.cmd.ProcessState, p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w; see %s", p.name, startIn, err, p.log)
		case <-time.After(tick):
		}
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() error { return p.signal(syscall.SIGKILL) }

// terminate lets the process end by itself.
func (p *process) terminate() error { return p.signal(syscall.SIGTERM) }

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("send %s to %s: %w", s, p.name, err)
	}
	<-p.exited
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
