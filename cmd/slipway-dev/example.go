package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/config"
)

// patience is how long a preview that ought to be live may take to answer: it may just be starting again.
const patience = 30 * time.Second

// deployExample deploys one of the examples through the REST API, as a user would, and returns its stable URL. One that is
// live already is left alone.
func deployExample(ctx context.Context, c config.Dev, name string, out io.Writer) (string, error) {
	api, err := dialAPI(c)
	if err != nil {
		return "", err
	}
	project := "example-" + name
	before, err := liveURL(ctx, api, project)
	if err != nil {
		return "", err
	}
	if before != "" && serves(ctx, c, before) {
		fmt.Fprintf(out, "==> example %s is live\n", name)
		return before, nil
	}
	if before != "" && ctx.Err() == nil {
		fmt.Fprintf(out, "==> the preview of example %s does not answer any more\n", name)
	}
	repo := "http://" + c.Examples.Addr + "/" + name + ".git"
	if err := ensureProject(ctx, api, project, repo); err != nil {
		return "", err
	}
	asked, err := api.CreateDeploymentWithResponse(ctx, project, nil, client.DeploymentCreate{})
	if err != nil {
		return "", err
	}
	if asked.JSON202 == nil {
		return "", fmt.Errorf("deploy %s: %s", project, asked.Body)
	}
	fmt.Fprintf(out, "==> deploying example %s from %s\n", name, repo)
	d, err := watch(ctx, api, asked.JSON202.ID, out)
	if err != nil {
		return "", err
	}
	if !serves(ctx, c, d.EnvironmentURL) {
		return "", fmt.Errorf("the example's deploy is ready, but %s does not answer: see what the gateway says there", d.EnvironmentURL)
	}
	return d.EnvironmentURL, nil
}

func dialAPI(c config.Dev) (*client.ClientWithResponses, error) {
	token, err := os.ReadFile(paths{c}.token())
	if err != nil {
		return nil, fmt.Errorf("admin token: %w", err)
	}
	return client.NewClientWithResponses("http://"+c.API.Addr, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		return nil
	}))
}

// liveURL returns the address of a project's production if a deployment is live there, else "".
func liveURL(ctx context.Context, api *client.ClientWithResponses, project string) (string, error) {
	status, environment := client.DeploymentStatusReady, "production"
	list, err := api.ListDeploymentsWithResponse(ctx, &client.ListDeploymentsParams{Project: &project, Environment: &environment, Status: &status})
	if err != nil {
		return "", err
	}
	if list.JSON200 == nil || len(list.JSON200.Items) == 0 {
		return "", nil // no such project, or nothing live in it
	}
	return list.JSON200.Items[0].EnvironmentURL, nil
}

// serves reports whether the app behind a preview URL answers. The gateway is asked directly: not every resolver knows that
// names below localhost are this machine.
func serves(ctx context.Context, c config.Dev, preview string) bool {
	u, err := url.Parse(preview)
	if err != nil {
		return false
	}
	ask := func() bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Gateway.Addr+"/", nil)
		if err != nil {
			return false
		}
		request.Host = u.Host
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode < http.StatusBadRequest
	}
	return eventually(ctx, patience, ask)
}

// ensureProject makes the example's project. One from before may name an address where examples are served no more.
func ensureProject(ctx context.Context, api *client.ClientWithResponses, name, repo string) error {
	created, err := api.CreateProjectWithResponse(ctx, client.ProjectCreate{Name: name, RepoURL: repo})
	if err != nil || created.JSON201 != nil {
		return err
	}
	if created.StatusCode() != http.StatusConflict {
		return fmt.Errorf("create project %s: %s", name, created.Body)
	}
	updated, err := api.UpdateProjectWithResponse(ctx, name, client.ProjectUpdate{RepoURL: &repo})
	if err != nil || updated.JSON200 != nil {
		return err
	}
	return fmt.Errorf("update project %s: %s", name, updated.Body)
}
