package dnsproof

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
)

const (
	programLimit = 2 * time.Minute
	saidAtMost   = 500 // bytes of what it printed, at the end, that an error shows
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
	command.Env, command.WaitDelay = p.environ, time.Second
	said, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", p.path, verb, err, strings.TrimSpace(string(said[max(0, len(said)-saidAtMost):])))
	}
	return nil
}
