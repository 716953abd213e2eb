package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/planner"
	"github.com/slipway-dev/slipway/internal/testbed"
)

// goals are what slipway is to take, measured by what the bare pipeline takes.
var goals = map[string]float64{caseCold: 0.75, caseChanged: 0.35, caseSame: 0.10, caseFour: 0.75}

// compared are the comparisons in the order of the report.
var compared = []string{caseCold, caseChanged, caseSame, caseFour}

// idleGoal is how much of a deploy may pass in no activity, 95 of 100 times.
const idleGoal = 300 * time.Millisecond

// write writes the parts of the report anew that this run has measured.
func (b *bench) write() error {
	parts := maps.Clone(b.measures)
	for _, name := range compared {
		if c := b.results[name]; len(c.apps) > 0 {
			parts[name] = c.table() + "\n" + c.verdict(goals[name])
		}
	}
	if len(b.slipway.engine.costs) > 0 {
		parts["engine"] = engineTable(b.slipway.engine.costs)
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if err := testbed.Rewrite(b.report, name, b.how+"\n\n"+parts[name]); err != nil {
			return err
		}
	}
	return nil
}

// describe says by what command, of which commit and on what machine this run measures.
func (b *bench) describe(ctx context.Context) (string, error) {
	machine, err := testbed.Machine()
	if err != nil {
		return "", err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	commit, err := b.run(ctx, "git", "describe", "--always", "--dirty")
	if err != nil {
		return "", err
	}
	docker, err := b.run(ctx, "docker", "version", "--format", "{{.Server.Version}}")
	if err != nil {
		return "", err
	}
	nixpacks, err := planner.NixpacksVersion(ctx, b.config.Planner.Nixpacks)
	if err != nil {
		return "", err
	}
	buildkit, err := versionOf(b.buildctl)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("`%s` on %s, commit %s, on %s, Linux %s, Docker %s, BuildKit %s, nixpacks %s.", b.command(),
		time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(commit), machine, strings.TrimSpace(string(kernel)), strings.TrimSpace(docker), buildkit, nixpacks), nil
}

// command is how make runs what this run was asked for.
func (o options) command() string {
	return fmt.Sprintf("make bench ROUNDS=%d LIMIT=%s CASES=%s APPS=%s", o.rounds, o.limit, strings.Join(o.cases, ","), strings.Join(o.apps, ","))
}

// versionOf returns the version of the module that a program is of.
func versionOf(program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("read what %s was built from: %w", program, err)
	}
	return info.Main.Version, nil
}

// table shows each app's seconds on both sides, and what slipway takes of what the bare pipeline takes.
func (c *comparison) table() string {
	var text strings.Builder
	text.WriteString("| | rounds | slipway, s | bare, s | slipway ÷ bare |\n|---|---:|---:|---:|---:|\n")
	for _, app := range c.apps {
		slipway, bare := sides(c.pairs[app])
		fmt.Fprintf(&text, "| %s | %d | %s | %s | %s |\n", app, len(slipway), spreadOf(took(slipway)).seconds(), spreadOf(took(bare)).seconds(),
			spreadOf(ratios(c.pairs[app])).ratio())
	}
	for _, app := range c.apps {
		slipway, bare := sides(c.pairs[app])
		if len(slipway[0].phases) > 0 {
			fmt.Fprintf(&text, "\n- %s, slipway: %s\n- %s, bare: %s\n", app, breakdown(slipway), app, breakdown(bare))
		}
	}
	return text.String()
}

// verdict says what was wanted beside what was measured. It judges by the medians, app by app.
func (c *comparison) verdict(goal float64) string {
	var measured, missed []string
	for _, app := range c.apps {
		median := quantile(ratios(c.pairs[app]), 0.5)
		measured = append(measured, fmt.Sprintf("%s %.2f", app, median))
		if median > goal {
			missed = append(missed, app)
		}
	}
	said := word(len(missed) == 0)
	if len(missed) > 0 && len(missed) < len(measured) {
		said += " by " + strings.Join(missed, ", ")
	}
	return fmt.Sprintf("Goal, slipway ÷ bare ≤ %.2f: %s. It is %s.\n", goal, strings.Join(measured, ", "), said)
}

// idleVerdict does so for the time that passes in no activity.
func idleVerdict(idle []float64) string {
	p95 := seconds(quantile(idle, 0.95))
	return fmt.Sprintf("Goal, p95 of a deploy alone ≤ %s: %s. It is %s.\n", ms(idleGoal), ms(p95), word(p95 <= idleGoal))
}

func word(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// crowded are the cases in which deploys wait for one another: that is no overhead of the engine.
var crowded = []string{caseFour, "memory"}

// idleAlone returns the seconds in no activity of each deploy that had the machine for itself.
func idleAlone(costs []cost) (idle []float64) {
	for _, c := range costs {
		if !slices.Contains(crowded, c.as) {
			idle = append(idle, c.idle.Seconds())
		}
	}
	return idle
}

// engineTable shows by case what deploys cost beside their activities, and before which activity that time passes.
func engineTable(costs []cost) string {
	var names []string
	of := map[string][]cost{}
	for _, c := range costs {
		if of[c.as] == nil {
			names = append(names, c.as)
		}
		of[c.as] = append(of[c.as], c)
	}
	var text strings.Builder
	text.WriteString("| | deploys | in no activity, p50 | p95 | history events | history bytes |\n|---|---:|---:|---:|---:|---:|\n")
	for _, name := range names {
		var idle, events, bytes []float64
		for _, c := range of[name] {
			idle, events, bytes = append(idle, c.idle.Seconds()), append(events, float64(c.events)), append(bytes, float64(c.bytes))
		}
		fmt.Fprintf(&text, "| %s | %d | %s | %s | %.0f | %.0f |\n", name, len(idle), ms(seconds(quantile(idle, 0.5))), ms(seconds(quantile(idle, 0.95))),
			quantile(events, 0.5), quantile(bytes, 0.5))
	}
	alone := slices.DeleteFunc(slices.Clone(costs), func(c cost) bool { return slices.Contains(crowded, c.as) })
	if len(alone) > 0 {
		fmt.Fprintf(&text, "\nOf a deploy alone, the median of what passes before each activity: %s.\n\n", gaps(alone))
		text.WriteString(idleVerdict(idleAlone(costs)))
	}
	return text.String()
}

// gaps says before which activities the most time passes.
func gaps(costs []cost) string {
	of := map[string][]float64{}
	for _, c := range costs {
		for name, took := range c.gaps {
			of[name] = append(of[name], took.Seconds())
		}
	}
	median := func(name string) float64 { return quantile(of[name], 0.5) }
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		if c := cmp.Compare(median(b), median(a)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, name+" "+ms(seconds(median(name))))
	}
	return strings.Join(parts, ", ")
}
