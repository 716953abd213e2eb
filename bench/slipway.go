package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/api/client"
)

const (
	tick   = 50 * time.Millisecond // between two looks at an app, on both sides
	within = 15 * time.Minute      // of a deploy, on both sides
)

// slipwaySide deploys through the REST API.
type slipwaySide struct {
	*rig
	engine *engine // is told of every deployment
	as     string  // the case that deploys
}

func (s *slipwaySide) name() string { return "slipway" }

func (s *slipwaySide) adopt(ctx context.Context, a *app) error {
	created, err := s.api.CreateProjectWithResponse(ctx, client.ProjectCreate{Name: a.name, RepoURL: s.repo(a.name)})
	if err == nil && created.JSON201 == nil {
		err = fmt.Errorf("create project %s: %s", a.name, created.Body)
	}
	return err
}

func (s *slipwaySide) ready(context.Context, []*app) error { return nil }

// deploy asks for all deploys at once and visits each preview until it says what its commit says.
func (s *slipwaySide) deploy(ctx context.Context, apps []*app) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	made, ended := make([]*client.Deployment, len(apps)), make([]time.Duration, len(apps))
	begun := time.Now()
	group, visiting := errgroup.WithContext(ctx)
	for n, a := range apps {
		group.Go(func() (err error) {
			if made[n], err = s.post(visiting, a); err != nil {
				return err
			}
			err = s.awaitAnswer(visiting, made[n], a.said)
			ended[n] = time.Since(begun)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	m := sample{took: slices.Max(ended)}
	for n, d := range made {
		phases, err := s.settled(ctx, d)
		if err != nil {
			return m, err
		}
		if ended[n] == m.took {
			m.phases = phases
		}
	}
	return m, nil
}

func (s *slipwaySide) post(ctx context.Context, a *app) (*client.Deployment, error) {
	asked, err := s.api.CreateDeploymentWithResponse(ctx, a.name, nil, client.DeploymentCreate{})
	if err == nil && asked.JSON202 == nil {
		err = fmt.Errorf("deploy %s: %s", a.name, asked.Body)
	}
	if err != nil {
		return nil, err
	}
	return asked.JSON202, nil
}

// awaitAnswer visits the preview until it answers. Whether the deploy has failed meanwhile is looked at now and then.
func (r *rig) awaitAnswer(ctx context.Context, d *client.Deployment, says string) error {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for n := 1; ; n++ {
		status, body, err := r.visit(ctx, d.PreviewURL)
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			if !strings.Contains(body, says) {
				return fmt.Errorf("%s says %q instead of %q", d.PreviewURL, body, says)
			}
			return nil
		}
		if n%100 == 0 {
			if err := r.failure(ctx, d.ID); err != nil {
				return err
			}
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", d.PreviewURL, ctx.Err())
		}
	}
}

func (r *rig) failure(ctx context.Context, id string) error {
	got, err := r.api.GetDeploymentWithResponse(ctx, id)
	if err != nil {
		return err
	}
	if got.JSON200 == nil {
		return fmt.Errorf("deployment %s: %s", id, got.Body)
	}
	if f := got.JSON200.Failure; f != nil {
		return fmt.Errorf("deployment %s failed: %s", id, strings.Join(append([]string{f.Message}, f.Lines...), "\n"))
	}
	return nil
}

// visit reads a preview's URL with a new connection, as curl does. Its host name is dialed at the gateway: not every resolver
// knows that names below localhost are this machine.
func (r *rig) visit(ctx context.Context, url string) (status int, body string, err error) {
	browser := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, r.config.Gateway.Addr)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := browser.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

// settled waits until the workflow has ended too, which drains the preview before, so that nothing of it falls into the next
// measurement, and returns how long the deploy's steps took.
func (s *slipwaySide) settled(ctx context.Context, d *client.Deployment) ([]phase, error) {
	if err := s.engine.add(ctx, s.flows, s.as, d.WorkflowID); err != nil {
		return nil, err
	}
	listed, err := s.api.ListStepsWithResponse(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	if listed.JSON200 == nil {
		return nil, fmt.Errorf("steps of %s: %s", d.ID, listed.Body)
	}
	log, err := s.logOf(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	return phasesOf(listed.JSON200.Items, log)
}

// logOf returns a deployment's log, a line each.
func (r *rig) logOf(ctx context.Context, id string) ([]byte, error) {
	var text bytes.Buffer
	for after := int64(0); ; {
		page, err := r.api.GetLogsWithResponse(ctx, id, &client.GetLogsParams{After: &after})
		if err != nil {
			return nil, err
		}
		if page.JSON200 == nil {
			return nil, fmt.Errorf("log of %s: %s", id, page.Body)
		}
		for _, line := range page.JSON200.Items {
			fmt.Fprintln(&text, line.Text)
		}
		if page.JSON200.Ended {
			return text.Bytes(), nil
		}
		after = page.JSON200.NextAfter
	}
}

// phasesOf returns what steps took, without drain, which comes after the answer. The step solve holds the making of the layers; the
// log tells how long that was.
func phasesOf(steps []client.Step, log []byte) (phases []phase, err error) {
	parts, err := exports(log)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		name := string(step.Name)
		if step.Phase != nil {
			name = string(*step.Phase)
		}
		if name == "drain" || step.FinishedAt == nil {
			continue
		}
		took := step.FinishedAt.Sub(step.StartedAt)
		if n := slices.IndexFunc(phases, func(p phase) bool { return p.name == name }); n >= 0 {
			phases[n].took += took // a further attempt
		} else {
			phases = append(phases, phase{name, took})
		}
	}
	made := slices.IndexFunc(parts, func(p phase) bool { return p.name == "exporting" })
	if solve := slices.IndexFunc(phases, func(p phase) bool { return p.name == "solve" }); made >= 0 && solve >= 0 {
		phases[solve].took -= parts[made].took
		phases = slices.Insert(phases, solve+1, parts[made])
	}
	return phases, nil
}

// forget deletes the project and waits until nothing is left of it.
func (s *slipwaySide) forget(ctx context.Context, a *app) error {
	deleted, err := s.api.DeleteProjectWithResponse(ctx, a.name)
	if err != nil {
		return err
	}
	if deleted.JSON202 == nil {
		return fmt.Errorf("delete project %s: %s", a.name, deleted.Body)
	}
	return await(ctx, func() (bool, error) {
		left, err := s.api.GetDeletionWithResponse(ctx, deleted.JSON202.ID)
		if err != nil {
			return false, err
		}
		return left.StatusCode() == http.StatusNotFound, nil
	})
}

var errLate = errors.New("it takes too long")

// await asks until it is so.
func await(ctx context.Context, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, errLate)
	defer cancel()
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		if so, err := is(); err != nil || so {
			return err
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
