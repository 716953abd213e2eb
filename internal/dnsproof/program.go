package dnsproof

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
)

const (
	programLimit = 2 * time.Minute
	keptAtMost   = 64 << 10 // bytes of what it printed, at the end
)

// program is one of the operator's, called as lego calls it: `present` or `cleanup`, the record's name, its value. lego's own provider hands down the
// whole environment, and loses what the program says when it fails.
type program struct {
	path    string
	environ []string
}

func newProgram(c credentials) (challenge.Provider, error) {
	path, err := exec.LookPath(c["EXEC_PATH"])
	if err != nil {
		return nil, fmt.Errorf("EXEC_PATH: %w", err)
	}
	p := &program{path: path, environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}}
	for name, value := range c {
		p.environ = append(p.environ, name+"="+value)
	}
	return p, nil
}

// Present has the program make the record.
func (p *program) Present(ctx context.Context, domain, _, keyAuth string) error {
	return p.run(ctx, "present", domain, keyAuth)
}

// CleanUp has it remove the record.
func (p *program) CleanUp(ctx context.Context, domain, _, keyAuth string) error {
	return p.run(ctx, "cleanup", domain, keyAuth)
}

func (p *program) run(ctx context.Context, verb, domain, keyAuth string) error {
	ctx, cancel := context.WithTimeout(ctx, programLimit)
	defer cancel()
	info := dns01.GetChallengeInfo(ctx, domain, keyAuth)
	command := exec.CommandContext(ctx, p.path, verb, info.EffectiveFQDN, info.Value)
	said := &tail{}
	command.Env, command.Stdout, command.Stderr = p.environ, said, said
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts ends with it
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second // a grandchild in another group may hold the pipe open
	err := command.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%s %s: %w: %s", p.path, verb, err, strings.TrimSpace(said.String()))
}

// tail keeps the last bytes that are written.
type tail struct {
	kept []byte
	cut  bool
}

// Write forgets what was written first.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - keptAtMost; over > 0 {
		t.kept, t.cut = t.kept[over:], true
	}
	return len(p), nil
}

// String begins with a whole line: half a secret would not be known as one.
func (t *tail) String() string {
	if !t.cut {
		return string(t.kept)
	}
	_, whole, _ := bytes.Cut(t.kept, []byte("\n"))
	return string(whole)
}
