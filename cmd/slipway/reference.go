package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/client"
)

// pageSize is the most that a list of the API gives at once.
const pageSize = 200

var idForm = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// name is how people call a deployment: shop#3. It can be given wherever a DEPLOYMENT is asked for.
func name(d client.Deployment) string { return fmt.Sprintf("%s#%d", d.Project, d.Number) }

// deployment finds what a DEPLOYMENT argument means: an id, PROJECT#NUMBER, or PROJECT for its newest.
func deployment(ctx context.Context, api *client.ClientWithResponses, given string) (*client.Deployment, error) {
	if idForm.MatchString(given) {
		return ask[client.Deployment](api.GetDeploymentWithResponse(ctx, given))
	}
	project, digits, numbered := strings.Cut(given, "#")
	number, err := strconv.Atoi(digits)
	if project == "" || strings.ContainsAny(project, "/ ") || numbered && (err != nil || number < 1) {
		return nil, &shownError{
			message: fmt.Sprintf("%q names no deployment", given), exit: exitUsage,
			fix: "give an id, PROJECT#NUMBER such as shop#3, or PROJECT for its newest; `slipway ps` lists them",
		}
	}
	if !numbered {
		return newest(ctx, api, project)
	}
	return numberedDeployment(ctx, api, project, number)
}

func newest(ctx context.Context, api *client.ClientWithResponses, project string) (*client.Deployment, error) {
	found, err := listDeployments(ctx, api, client.ListDeploymentsParams{Project: &project}, 1)
	if err != nil {
		return nil, err
	}
	if len(found.Items) == 0 {
		return nil, &shownError{message: fmt.Sprintf("project %s has no deployment yet", project), fix: "make one with `slipway deploy " + project + "`"}
	}
	return &found.Items[0], nil
}

// numberedDeployment pages through a project's deployments, whose numbers fall from the newest on.
func numberedDeployment(ctx context.Context, api *client.ClientWithResponses, project string, number int) (*client.Deployment, error) {
	params := client.ListDeploymentsParams{Project: &project, Limit: new(pageSize)}
	for {
		page, err := ask[client.DeploymentList](api.ListDeploymentsWithResponse(ctx, &params))
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(page.Items, func(d client.Deployment) bool { return d.Number <= number })
		if i >= 0 && page.Items[i].Number == number {
			return &page.Items[i], nil
		}
		if params.Cursor = page.NextCursor; i >= 0 || params.Cursor == nil {
			return nil, &shownError{message: fmt.Sprintf("project %s has no deployment %d", project, number), fix: "`slipway ps " + project + "` lists them; old ones are removed after the retention of deployments"}
		}
	}
}

// listDeployments gathers pages until there are limit deployments; 0 means all.
func listDeployments(ctx context.Context, api *client.ClientWithResponses, params client.ListDeploymentsParams, limit int) (*client.DeploymentList, error) {
	all := &client.DeploymentList{Items: []client.Deployment{}}
	for {
		params.Limit = new(wanted(limit, len(all.Items)))
		page, err := ask[client.DeploymentList](api.ListDeploymentsWithResponse(ctx, &params))
		if err != nil {
			return nil, err
		}
		all.Items, all.NextCursor, params.Cursor = append(all.Items, page.Items...), page.NextCursor, page.NextCursor
		if page.NextCursor == nil || limit > 0 && len(all.Items) >= limit {
			return all, nil
		}
	}
}

// listProjects gathers pages until there are limit projects; 0 means all.
func listProjects(ctx context.Context, api *client.ClientWithResponses, limit int) (*client.ProjectList, error) {
	all := &client.ProjectList{Items: []client.Project{}}
	var params client.ListProjectsParams
	for {
		params.Limit = new(wanted(limit, len(all.Items)))
		page, err := ask[client.ProjectList](api.ListProjectsWithResponse(ctx, &params))
		if err != nil {
			return nil, err
		}
		all.Items, all.NextCursor, params.Cursor = append(all.Items, page.Items...), page.NextCursor, page.NextCursor
		if page.NextCursor == nil || limit > 0 && len(all.Items) >= limit {
			return all, nil
		}
	}
}

// wanted is how many items to ask for next.
func wanted(limit, have int) int {
	if limit == 0 {
		return pageSize
	}
	return min(limit-have, pageSize)
}

// theProject returns given, or the project of the checkout, or outside of one the only project there is.
func (c *cli) theProject(ctx context.Context, api *client.ClientWithResponses, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	h, err := c.here(ctx, api)
	if err != nil {
		return "", err
	}
	if h == nil {
		return onlyProject(ctx, api)
	}
	p, err := h.project()
	if err != nil {
		return "", err
	}
	return p.Name, nil
}

func onlyProject(ctx context.Context, api *client.ClientWithResponses) (string, error) {
	found, err := listProjects(ctx, api, 2)
	if err != nil {
		return "", err
	}
	switch len(found.Items) {
	case 0:
		return "", &shownError{message: "there is no project yet", fix: "make one with `slipway projects create NAME REPO_URL`"}
	case 1:
		return found.Items[0].Name, nil
	default:
		return "", &shownError{message: "there is more than one project; say which", fix: "`slipway projects list` shows their names", exit: exitUsage}
	}
}
