package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/checkout"
)

// here is what the git checkout that somebody stands in tells about what they mean.
type here struct {
	checkout *checkout.Checkout
	remote   checkout.Remote  // the first whose repository a project deploys; zero for none
	projects []client.Project // that deploy it; where their folders tell them apart, only the one around this folder
}

// here compares the checkout's remotes with the projects' repositories. It is nil outside of a checkout, and in one that no
// server could fetch.
func (c *cli) here(ctx context.Context, api *client.ClientWithResponses) (*here, error) {
	found, err := c.checkout(ctx)
	if err != nil || found == nil {
		return nil, err
	}
	all, err := listProjects(ctx, api, 0)
	if err != nil {
		return nil, err
	}
	h := &here{checkout: found}
	for _, remote := range found.Remotes {
		for _, p := range all.Items {
			if checkout.Same(p.RepoURL, remote.URL) {
				h.remote, h.projects = remote, append(h.projects, p)
			}
		}
		if len(h.projects) > 0 {
			break
		}
	}
	if len(h.projects) > 1 {
		if around := nearest(h.projects, found.Folder); len(around) > 0 {
			h.projects = around
		}
	}
	return h, nil
}

// checkout opens the checkout that the command runs in; nil when there is none with a remote that a server could fetch from.
func (c *cli) checkout(ctx context.Context) (*checkout.Checkout, error) {
	found, err := checkout.Open(ctx, c.dir)
	if errors.Is(err, checkout.ErrNone) {
		return nil, nil //nolint:nilnil // no checkout is no error, and nothing else
	}
	if err != nil {
		return nil, &shownError{message: fmt.Sprintf("read this git checkout: %v", err), fix: "name the project, or repair what git complains about"}
	}
	for _, remote := range found.Remotes {
		if _, ok := remote.Public(); ok {
			return found, nil
		}
	}
	return nil, nil //nolint:nilnil // likewise
}

// nearest returns the projects whose folder lies deepest around folder.
func nearest(projects []client.Project, folder string) []client.Project {
	var best []client.Project
	longest := 0
	for _, p := range projects {
		root := path.Join("/", p.RootDir)
		if !strings.HasPrefix(path.Join("/", folder)+"/", strings.TrimSuffix(root, "/")+"/") || len(root) < longest {
			continue
		}
		if len(root) > longest {
			best, longest = nil, len(root)
		}
		best = append(best, p)
	}
	return best
}

// project returns the one project that the checkout means.
func (h *here) project() (*client.Project, error) {
	switch len(h.projects) {
	case 1:
		return &h.projects[0], nil
	case 0:
		url, _ := h.checkout.Remotes[0].Public()
		return nil, &shownError{
			message: fmt.Sprintf("no project deploys the repository of this checkout (%s: %s)", h.checkout.Remotes[0].Name, orElse(url, h.checkout.Remotes[0].URL)),
			fix:     "make one with `slipway projects create`, or name the project that you mean", exit: exitUsage,
		}
	}
	choices := make([]string, len(h.projects))
	for i, p := range h.projects {
		choices[i] = fmt.Sprintf("%s (folder %s)", p.Name, p.RootDir)
	}
	return nil, &shownError{
		message: fmt.Sprintf("%d projects deploy the repository of this checkout: %s", len(choices), strings.Join(choices, ", ")),
		fix:     "name one of them, or go into its folder", exit: exitUsage,
	}
}

// branch returns the branch to deploy: the current one, by its name at the project's repository. What of the checkout is not
// there is said, since it is not deployed.
func (c *cli) branch(ctx context.Context, h *here) (string, error) {
	at := h.checkout
	if at.Branch == "" {
		return "", &shownError{
			message: "HEAD is detached, so that no branch says what to deploy", exit: exitUsage,
			fix: fmt.Sprintf("pass --commit %s with --environment, or --branch", orElse(at.Commit, "COMMIT")),
		}
	}
	there, err := at.On(ctx, h.remote.Name)
	if err != nil {
		return "", err
	}
	if there.Commit == "" {
		return "", &shownError{
			message: fmt.Sprintf("branch %s was never pushed to %s, as far as this checkout knows", there.Branch, h.remote.Name),
			fix:     fmt.Sprintf("`git push -u %s %s`, or name what is there with --branch", h.remote.Name, at.Branch), exit: exitUsage,
		}
	}
	changes, err := at.Changes(ctx)
	if err != nil {
		return "", err
	}
	if left := leftOut(there.Ahead, changes); left != "" {
		c.say("warning: %s: what is deployed is %s/%s, last seen at %s", left, h.remote.Name, there.Branch, short(&there.Commit))
	}
	return there.Branch, nil
}

// leftOut says what of a checkout is not deployed.
func leftOut(commits, files int) string {
	var left []string
	if commits > 0 {
		left = append(left, counted(commits, "commit is", "commits are")+" not pushed")
	}
	if files > 0 {
		left = append(left, counted(files, "changed file is", "changed files are")+" not committed")
	}
	return strings.Join(left, ", ")
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
