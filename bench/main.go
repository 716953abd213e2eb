// Command bench compares slipway with the bare pipeline of the same tools (bare.sh), paired and interleaved in one run, and
// measures what slipway takes beside its builds. It writes docs/performance.md; `make bench` runs it, as root, from the
// repository's root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is a run.
type bench struct {
	*rig
	options
	slipway  *slipwaySide
	bare     *bareSide
	results  map[string]*comparison
	measures map[string]string // text of the report's other parts
	how      string            // it is measured, and where
	deadline time.Time         // of the case that runs
}

type options struct {
	rounds int
	limit  time.Duration
	cases  []string
	apps   []string
	report string
}

// names of what is compared, as the report and the log have them
const (
	caseCold    = "cold"
	caseChanged = "changed"
	caseSame    = "same"
	caseFour    = "four"
)

// cases are what can be asked for, each with its share of the time.
var cases = []struct {
	name  string
	share int
	run   func(*bench, context.Context) error
}{
	{"warm", 30, (*bench).warm},
	{"cold", 30, (*bench).cold},
	{"four", 15, (*bench).four},
	{"memory", 5, (*bench).memory},
	{"compression", 10, (*bench).compression},
	{"ingest", 5, (*bench).ingest},
	{"lease", 5, (*bench).lease},
	{"gateway", 5, (*bench).passGateway},
	{"api", 15, (*bench).serveAPI}, // the last one: it fills the database
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, "Compares slipway with the bare pipeline (bench/bare.sh) and writes docs/performance.md.\n\n"+
			"  make bench                                    everything, within 25 minutes\n"+
			"  make bench ROUNDS=10 LIMIT=3h                 ten rounds of everything, however long they take\n"+
			"  make bench CASES=warm APPS=node,go ROUNDS=2   a look at some of it\n\nFlags:\n")
		flags.PrintDefaults()
	}
	var all, sourceNames []string
	for _, c := range cases {
		all = append(all, c.name)
	}
	for _, s := range sources {
		sourceNames = append(sourceNames, s.name)
	}
	flags.IntVar(&o.rounds, "rounds", 10, "how often each `number` is taken, of each app and side")
	flags.DurationVar(&o.limit, "limit", 25*time.Minute, "no round is begun once its case's share of this `time` is over, but for the first")
	chosen := flags.String("cases", strings.Join(all, ","), "which `cases`; warm is one line changed, and the same commit again")
	apps := flags.String("apps", strings.Join(sourceNames, ","), "which `examples`")
	flags.StringVar(&o.report, "report", "docs/performance.md", "`file` whose parts between the marks are written anew")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.cases, o.apps = strings.Split(*chosen, ","), strings.Split(*apps, ",")
	return o, errors.Join(known("cases", o.cases, all), known("apps", o.apps, sourceNames), positive(o.rounds))
}

func known(name string, given, all []string) error {
	for _, g := range given {
		if !slices.Contains(all, g) {
			return fmt.Errorf("-%s: there is no %q: name some of %s", name, g, strings.Join(all, ","))
		}
	}
	return nil
}

func positive(rounds int) error {
	if rounds < 1 {
		return fmt.Errorf("-rounds: %d: give 1 or more", rounds)
	}
	return nil
}

func run(ctx context.Context, args []string, log io.Writer) (err error) {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	r, release, err := layOut(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	b := &bench{rig: r, options: o, bare: &bareSide{r}, results: map[string]*comparison{}, measures: map[string]string{}}
	b.slipway = &slipwaySide{rig: r, engine: &engine{}}
	for _, name := range compared {
		b.results[name] = &comparison{}
	}
	if b.how, err = b.describe(ctx); err != nil { // before the report is written, which changes the checkout
		return err
	}
	if err := b.sweep(ctx); err != nil { // what a run that was killed has left
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	err = errors.Join(b.all(ctx), b.stop(context.WithoutCancel(ctx)))
	if err == nil {
		err = b.empty() // it is many gigabytes; of a run that failed it stays to be looked at
	}
	return err
}

// all runs the cases, and writes the report anew after each.
func (b *bench) all(ctx context.Context) error {
	end, shares := time.Now().Add(b.limit), 0
	for _, c := range cases {
		if slices.Contains(b.cases, c.name) {
			shares += c.share
		}
	}
	for _, c := range cases {
		if !slices.Contains(b.cases, c.name) {
			continue
		}
		b.deadline = time.Now().Add(time.Until(end) * time.Duration(c.share) / time.Duration(shares))
		shares -= c.share
		b.logf("case %s", c.name)
		if err := c.run(b, ctx); err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
		}
		if err := b.write(); err != nil {
			return err
		}
	}
	return nil
}

// more reports whether a round, counted from 0, is to be begun.
func (b *bench) more(round int) bool {
	return round == 0 || round < b.rounds && time.Now().Before(b.deadline)
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.log, time.Now().UTC().Format(time.TimeOnly)+" "+format+"\n", args...)
}
