package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/client"
)

// watch prints what a deployment does until it ends, and shows that it goes on where nothing changes for long.
func watch(ctx context.Context, api *client.ClientWithResponses, id string, out io.Writer) (*client.Deployment, error) {
	begun, last, told := time.Now(), "", time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		d, err := show(ctx, api, id)
		if err != nil {
			return nil, err
		}
		if now := activity(d); now != last || time.Since(told) > silence {
			fmt.Fprintf(out, "    %5.1fs %s\n", time.Since(begun).Seconds(), now)
			last, told = now, time.Now()
		}
		switch d.Status {
		case client.DeploymentStatusReady:
			return d, nil
		case client.DeploymentStatusFailed, client.DeploymentStatusCanceled, client.DeploymentStatusSuperseded:
			return nil, errors.New(verdict(d))
		default:
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, interrupted(id)
		}
	}
}

func show(ctx context.Context, api *client.ClientWithResponses, id string) (*client.Deployment, error) {
	got, err := api.GetDeploymentWithResponse(ctx, id)
	if ctx.Err() != nil {
		return nil, interrupted(id)
	}
	if err != nil {
		return nil, err
	}
	if got.JSON200 == nil {
		return nil, fmt.Errorf("deployment %s: %s", id, got.Body)
	}
	return got.JSON200, nil
}

func interrupted(id string) error {
	return fmt.Errorf("interrupted: slipway-dev runs, and deployment %s goes on", id)
}

// activity says what a deployment does, in one or two words.
func activity(d *client.Deployment) string {
	if d.Step == nil || d.Step.Phase == nil {
		return string(d.Status)
	}
	return string(d.Status) + " (" + string(*d.Step.Phase) + ")"
}

// verdict says why a deployment did not come live, and what to do.
func verdict(d *client.Deployment) string {
	text := fmt.Sprintf("the example's deploy is %s", d.Status)
	if d.Failure == nil {
		return text + ": `make up` deploys it again"
	}
	lines := append([]string{text + ": " + d.Failure.Message}, d.Failure.Lines...)
	if d.Failure.Fix != nil {
		lines = append(lines, "fix: "+*d.Failure.Fix)
	}
	return strings.Join(lines, "\n  ") + "\n  its log: bin/slipway logs " + d.ID
}
