package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/internal/config"
)

// Status is what came of a look.
type Status string

// A warning keeps nothing from working now. Skipped is what cannot be told, or does not matter here.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"` // empty when there is nothing to do
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Finding {
	return Finding{Status: Skipped, Detail: fmt.Sprintf(format, args...)}
}

func warning(fix, format string, args ...any) Finding {
	return Finding{Status: Warning, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

func failed(fix, format string, args ...any) Finding {
	return Finding{Status: Failed, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

// Machine is what is looked at.
type Machine struct {
	Config config.Dev
	APIURL string // of the API that the CLI uses
	Token  string // for it; empty for none

	BinDir         string   // where slipway's own programs lie unless the configuration says
	Environ        []string // NAME=value
	Root           string   // before /sys and /proc; empty, but in tests
	PublicRegistry string   // URL of the API of a public image registry

	// Store opens the installation's store, as commands for this machine do.
	Store func(context.Context) (Store, error)
}

// Check is one thing to look at.
type Check struct {
	Name  string
	About string // what it looks at, in a line
	look  func(context.Context, Machine) []Finding
}

// patience is how long one check may take. All run at once.
const patience = 8 * time.Second

// Run makes the checks called names, all for none, and returns what they found in the order of Checks.
func Run(ctx context.Context, m Machine, names []string) []Finding {
	var chosen []Check
	for _, c := range Checks() {
		if len(names) == 0 || slices.Contains(names, c.Name) {
			chosen = append(chosen, c)
		}
	}
	found := make([][]Finding, len(chosen))
	var wait sync.WaitGroup
	for i, c := range chosen {
		wait.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
			defer cancel()
			found[i] = c.look(ctx, m)
			for j := range found[i] {
				found[i][j].Check = c.Name
			}
		})
	}
	wait.Wait()
	return slices.Concat(found...)
}

// one makes a look of a function that finds one thing.
func one(look func(context.Context, Machine) Finding) func(context.Context, Machine) []Finding {
	return func(ctx context.Context, m Machine) []Finding { return []Finding{look(ctx, m)} }
}
