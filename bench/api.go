package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// attackTime is how long the API is asked for each thing.
const attackTime = 15 * time.Second

// attack is what the API is asked for.
type attack struct {
	what   string
	rate   int // a second
	target func(n int) vegeta.Target
	status int // of the answers
}

// attacks are the requests. A POST is of a branch that is not there: it is accepted, stored and started as any other, and its
// workflow ends in the step resolve, so that builds do not take the machine from the API.
func (b *bench) attacks() []attack {
	header := http.Header{"Authorization": {"Bearer " + b.token}, "Content-Type": {"application/json"}}
	base := "http://" + b.dev.API + "/v1"
	get := func(url func(n int) string) func(int) vegeta.Target {
		return func(n int) vegeta.Target {
			return vegeta.Target{Method: http.MethodGet, URL: base + url(n), Header: header}
		}
	}
	return []attack{
		{"GET deployments", 50, get(func(int) string { return "/deployments" }), http.StatusOK},
		{"GET deployments of a project", 50, get(func(n int) string { return "/deployments?project=" + storedProject(n) }), http.StatusOK},
		{"POST deployments", 20, func(n int) vegeta.Target {
			return vegeta.Target{
				Method: http.MethodPost, URL: base + "/projects/" + storedProject(n) + "/deployments", Header: header,
				Body: []byte(`{"branch": "not-there", "environment": "production"}`),
			}
		}, http.StatusAccepted},
	}
}

// serveAPI measures how fast the API answers when much is stored.
func (b *bench) serveAPI(ctx context.Context) error {
	attacks := b.attacks()
	lines, err := b.store(ctx, b.deadline.Add(-time.Duration(len(attacks))*attackTime))
	if err != nil {
		return err
	}
	b.logf("  %d deployments and %d log lines are stored", storedDeployments, lines)
	var text strings.Builder
	fmt.Fprintf(&text, "%d deployments of %d projects and %d log lines are stored; each request is sent at its rate for %s.\n\n"+
		"| | per second | answers | p50 | p99 | most |\n|---|---:|---:|---:|---:|---:|\n", storedDeployments, storedProjects, lines, attackTime)
	for _, a := range attacks {
		m, err := a.run(ctx)
		if err != nil {
			return err
		}
		row := fmt.Sprintf("| %s | %d | %d | %s | %s | %s |", a.what, a.rate, m.Requests, ms(m.Latencies.P50), ms(m.Latencies.P99), ms(m.Latencies.Max))
		b.logf("  %s", row)
		text.WriteString(row + "\n")
	}
	b.measures["api"] = text.String()
	return nil
}

// run sends the requests. An answer that is another than it should be fails the measurement.
func (a attack) run(ctx context.Context) (*vegeta.Metrics, error) {
	var asked atomic.Int64
	targeter := func(t *vegeta.Target) error {
		*t = a.target(int(asked.Add(1)))
		return nil
	}
	attacker := vegeta.NewAttacker(vegeta.MaxWorkers(200))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	var m vegeta.Metrics
	var errs []error
	for result := range attacker.Attack(targeter, vegeta.Rate{Freq: a.rate, Per: time.Second}, attackTime, a.what) {
		m.Add(result)
		if int(result.Code) != a.status && len(errs) == 0 {
			errs = append(errs, fmt.Errorf("%s: %d %s %s", a.what, result.Code, result.Error, result.Body))
		}
	}
	m.Close()
	return &m, errors.Join(append(errs, ctx.Err())...)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
