package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// inLine is a deployment that waits for a build slot.
func (b bench) inLine(p deployment.Project, environment string) deployment.Deployment {
	b.t.Helper()
	d := b.deploy(p, environment)
	b.through(d, "run", deployment.StepResolve)
	a := attempt(d, "run", deployment.StepResolve)
	require.NoError(b.t, b.StepEnded(b.t.Context(), a, deployment.StepSucceeded, nil, nil, time.Now()))
	require.NoError(b.t, b.AwaitSlot(b.t.Context(), a))
	return d
}

// Projects take turns, and within a project it is the order in which they came.
func TestPlaceInLineForABuildSlot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	crowd, few := b.project("crowd"), b.project("few")
	var all []deployment.Deployment
	for n := range 4 {
		all = append(all, b.inLine(crowd, fmt.Sprintf("branch/%d", n)))
	}
	for n := range 2 {
		all = append(all, b.inLine(few, fmt.Sprintf("branch/%d", n)))
	}
	building := b.deploy(few, "production")
	b.through(building, "run", deployment.StepBuild)
	places := func() (list []int) {
		for _, d := range all {
			list = append(list, b.now(d.ID).QueuePosition)
		}
		return list
	}
	require.Equal(t, []int{1, 3, 5, 6, 2, 4}, places())
	require.Zero(t, b.now(building.ID).QueuePosition)

	lease := deployment.Resource{Kind: deployment.ResourceLease, Name: all[0].ID, Host: "host-1", DeploymentID: all[0].ID, RunID: "run"}
	require.NoError(t, b.Own(t.Context(), lease))
	require.Equal(t, []int{0, 1, 3, 5, 2, 4}, places(), "the first has its slot")
	_, err := b.RequestCancel(t.Context(), all[4].ID)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 3, 4, 0, 2}, places(), "one that is canceled stands in nobody's way")

	list, _, err := b.Deployments(t.Context(), deployment.DeploymentFilter{ProjectID: few.ID}, deployment.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 2, list[1].Step.QueuePosition, "lists tell it too")
}
