package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/api/client"
)

const (
	leaseName        = "bench-lease"
	leaseEnvironment = "branch/asleep" // production never sleeps
)

// wakeGoal is what a visitor waits for the node example to wake up, its image being there, 95 of 100 times.
const wakeGoal = 1500 * time.Millisecond

// lease measures how long a visitor waits for a preview that is asleep, how long it takes until one that is stopped is gone, and until
// that one answers again.
func (b *bench) lease(ctx context.Context) error {
	a, err := b.newApp(ctx, "node", leaseName)
	if err != nil {
		return err
	}
	if err := b.slipway.adopt(ctx, a); err != nil {
		return err
	}
	d, err := b.deployAside(ctx, a)
	if err != nil {
		return err
	}
	db, err := b.database(ctx)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	var wakes, stops, starts []float64
	for round := 0; b.more(round); round++ {
		wake, err := b.wake(ctx, db, d)
		if err != nil {
			return err
		}
		stop, err := b.stopAndGo(ctx, d, "stop", func() (bool, error) { return b.gone(ctx, d) })
		if err != nil {
			return err
		}
		start, err := b.stopAndGo(ctx, d, "start", func() (bool, error) { return b.answers(ctx, d) })
		if err != nil {
			return err
		}
		wakes, stops, starts = append(wakes, wake.Seconds()), append(stops, stop.Seconds()), append(starts, start.Seconds())
		b.logf("  lease %d: woken %.2f s, gone %.2f s, started %.2f s", round+1, wake.Seconds(), stop.Seconds(), start.Seconds())
	}
	b.measures["lease"] = leaseTable(wakes, stops, starts)
	return b.slipway.forget(ctx, a)
}

// deployAside deploys to an environment that may sleep.
func (b *bench) deployAside(ctx context.Context, a *app) (*client.Deployment, error) {
	branch, environment := "main", leaseEnvironment
	asked, err := b.api.CreateDeploymentWithResponse(ctx, a.name, nil, client.DeploymentCreate{Branch: &branch, Environment: &environment})
	if err == nil && asked.JSON202 == nil {
		err = fmt.Errorf("deploy %s: %s", a.name, asked.Body)
	}
	if err != nil {
		return nil, err
	}
	return asked.JSON202, b.awaitAnswer(ctx, asked.JSON202, a.said)
}

// wake lets the preview fall asleep, by making what is known of its visitors old, and visits it.
func (b *bench) wake(ctx context.Context, db *pgx.Conn, d *client.Deployment) (took time.Duration, err error) {
	err = b.until(ctx, "asleep", func() (bool, error) {
		for _, statement := range []string{
			"UPDATE preview_traffic t SET last_request_at = now() - interval '1 day' FROM deployments d WHERE d.id = $1 AND t.environment_id = d.environment_id",
			"UPDATE previews SET updated_at = now() - interval '1 day' WHERE deployment_id = $1 AND state = 'live'",
			"UPDATE preview_leases l SET updated_at = now() FROM deployments d, previews v WHERE d.id = $1 AND v.deployment_id = d.id AND v.state = 'live' AND l.environment_id = d.environment_id",
		} {
			if _, err := db.Exec(ctx, statement, d.ID); err != nil {
				return false, err
			}
		}
		if err := pause(ctx, time.Second); err != nil {
			return false, err
		}
		running, err := b.run(ctx, "docker", "ps", "-q", "--filter", "label=slipway.deployment="+d.ID)
		return running == "", err
	})
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	status, body, err := b.visit(ctx, d.EnvironmentURL)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %s", d.EnvironmentURL, status, body)
	}
	return time.Since(begun), err
}

// stopAndGo asks for something and returns how long it takes until that is so.
func (b *bench) stopAndGo(ctx context.Context, d *client.Deployment, what string, done func() (bool, error)) (time.Duration, error) {
	begun := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.config.API.Addr+"/v1/previews/"+d.ID+"/"+what, bytes.NewReader(nil))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode >= http.StatusMultipleChoices {
		return 0, errors.Join(err, fmt.Errorf("%s %s: %s: %s", what, d.ID, response.Status, body))
	}
	err = b.until(ctx, what, done)
	return time.Since(begun), err
}

// until looks again and again until something is so.
func (b *bench) until(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if yes, err := done(); err != nil || yes {
			return err
		}
		if err := pause(ctx, tick); err != nil {
			return fmt.Errorf("wait until it is %s: %w", what, err)
		}
	}
}

// gone reports whether the engine has neither a container nor a network of the deployment.
func (b *bench) gone(ctx context.Context, d *client.Deployment) (bool, error) {
	containers, err := b.run(ctx, "docker", "ps", "-aq", "--filter", "label=slipway.deployment="+d.ID)
	if err != nil || containers != "" {
		return false, err
	}
	networks, err := b.run(ctx, "docker", "network", "ls", "-q", "--filter", "label=slipway.deployment="+d.ID)
	return networks == "", err
}

func (b *bench) answers(ctx context.Context, d *client.Deployment) (bool, error) {
	status, _, err := b.visit(ctx, d.EnvironmentURL)
	return status == http.StatusOK, err
}

// leaseTable shows what was measured, and whether the goal is met.
func leaseTable(wakes, stops, starts []float64) string {
	var t strings.Builder
	t.WriteString("| | rounds | median, s | p95, s |\n|---|---:|---:|---:|\n")
	for _, row := range []struct {
		what   string
		values []float64
	}{
		{"asleep, from a visitor's request to the app's answer", wakes},
		{"from POST stop until container and network are gone", stops},
		{"from POST start until the app answers, its image there", starts},
	} {
		fmt.Fprintf(&t, "| %s | %d | %s | %.2f |\n", row.what, len(row.values), spreadOf(row.values).seconds(), quantile(row.values, 0.95))
	}
	met := "It is met."
	p95 := quantile(wakes, 0.95)
	if p95 > wakeGoal.Seconds() {
		met = "It is missed."
	}
	fmt.Fprintf(&t, "\nGoal, p95 of a wake ≤ %.1f s: %.2f s. %s\n", wakeGoal.Seconds(), p95, met)
	return t.String()
}
