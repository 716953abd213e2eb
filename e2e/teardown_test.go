package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

// Two environments, one of which is deleted; then the project, while a build of it runs.
func TestDeletionLeavesNothing(t *testing.T) {
	t.Parallel()
	project := createProject(t, "teardown", dev.repo("slow-build"), map[string]any{"build_command": "echo build has begun; sleep $NAP"})
	setVar(t, project, "", "NAP", "0")
	setVar(t, project, "?environment=branch/slow", "NAP", "600") // made for its variable
	kept := waitEnd(t, deploy(t, project, map[string]any{"branch": "main", "environment": "production"}), "ready")
	gone := waitEnd(t, deploy(t, project, map[string]any{"branch": "main", "environment": "branch/gone"}), "ready")
	require.Len(t, imagesOf(t, project), 2)

	requireDeleted(t, "/v1/environments/"+gone.Environment.ID)
	for _, url := range []string{gone.PreviewURL, gone.EnvironmentURL} {
		requireUnknown(t, url)
	}
	require.Empty(t, leftOvers(t, gone.ID))
	tags := imagesOf(t, project)
	require.Len(t, tags, 1)
	require.True(t, strings.HasPrefix(tags[0], kept.ID), "%v", tags)
	status, _ := dev.get(t, kept.EnvironmentURL)
	require.Equal(t, http.StatusOK, status)

	building := deploy(t, project, map[string]any{"branch": "main", "environment": "branch/slow"})
	waitForLine(t, building, "build has begun")
	requireDeleted(t, "/v1/projects/"+project)
	for _, d := range []string{kept.ID, building} {
		require.Equal(t, http.StatusNotFound, dev.call(t, http.MethodGet, "/v1/deployments/"+d, nil, nil).status)
		require.Empty(t, leftOvers(t, d))
	}
	require.Empty(t, docker(t, "ps", "-aq", "--filter", "label=slipway.project="+kept.ProjectID))
	require.Empty(t, docker(t, "network", "ls", "-q", "--filter", "label=slipway.project="+kept.ProjectID))
	require.Empty(t, tagsOf(t, project))
	requireUnknown(t, kept.EnvironmentURL)
}

// requireUnknown waits until a URL leads nowhere: a gateway that is told late goes on with what it knows.
func requireUnknown(t *testing.T, url string) {
	t.Helper()
	require.Eventually(t, func() bool { status, _ := dev.get(t, url); return status == http.StatusNotFound }, eventually, tick)
}

func setVar(t *testing.T, project, query, name, value string) {
	t.Helper()
	body := map[string]any{"vars": []map[string]any{{"name": name, "value": value, "target": "build"}}}
	require.Equal(t, http.StatusOK, dev.call(t, http.MethodPatch, "/v1/projects/"+project+"/env"+query, body, nil).status)
}

// requireDeleted deletes and waits until nothing is left.
func requireDeleted(t *testing.T, path string) {
	t.Helper()
	d := requestDeletion(t, path)
	require.Equal(t, http.StatusNotFound, dev.call(t, http.MethodGet, path, nil, nil).status)
	requireOver(t, d)
}

func requestDeletion(t *testing.T, path string) client.Deletion {
	t.Helper()
	var d client.Deletion
	require.Equal(t, http.StatusAccepted, dev.call(t, http.MethodDelete, path, nil, &d).status)
	return d
}

// requireOver waits until nothing of a deletion is left.
func requireOver(t *testing.T, d client.Deletion) {
	t.Helper()
	require.Eventually(t, func() bool {
		return dev.call(t, http.MethodGet, "/v1/deletions/"+d.ID, nil, &d).status == http.StatusNotFound
	}, eventually, tick, "left: %v", &d)
}

// imagesOf lists the tags of apps, without those of base images that were pushed ahead, which depends on what else runs.
func imagesOf(t *testing.T, project string) []string {
	t.Helper()
	return slices.DeleteFunc(tagsOf(t, project), func(tag string) bool { return strings.Contains(tag, "-base-") })
}

// tagsOf lists the tags that the registry has of a project's images.
func tagsOf(t *testing.T, project string) []string {
	t.Helper()
	return dev.tags(t, project)
}

func (s *system) tags(t *testing.T, project string) []string {
	t.Helper()
	response, err := http.Get("http://" + s.registry + "/v2/" + project + "/tags/list")
	require.NoError(t, err)
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return nil
	}
	require.Equal(t, http.StatusOK, response.StatusCode)
	var list struct {
		Tags []string `json:"tags"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&list))
	return list.Tags
}
