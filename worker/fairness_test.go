package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

// Two hosts of one slot each, and a project that posts twenty deploys before two others post three: theirs do not wait
// for the twenty.
func TestWorker_ProjectsTakeTurnsForBuildSlots(t *testing.T) {
	t.Parallel()
	const slots, crowd, few = 2, 20, 3
	pool := postgrestest.New(t)
	store := postgres.New(pool, postgres.Options{PreviewDomain: "localhost"})
	writer := logs.NewWriter(pool, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { assert.NoError(t, writer.Close(context.WithoutCancel(t.Context()))) })
	namespace := devservertest.Namespace(t)
	client := devservertest.ClientOf(t, namespace)
	starter := &temporal.Deploys{Client: client, Namespace: namespace, Limits: temporal.DefaultLimits()}

	line := &line{projects: map[string]string{}, open: make(chan struct{})}
	for _, id := range []string{"a", "b"} {
		h := &host{id: id, store: store, t: t}
		h.on("solve", line.pass)
		h.work(client, writer, starter.Limits)
	}
	post := func(name string, deploys int) {
		p, err := store.CreateProject(t.Context(), deployment.Project{Name: name, RepoURL: "https://git.example.com/" + name}.WithDefaults())
		require.NoError(t, err)
		for i := range deploys {
			d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{Project: p, Environment: fmt.Sprintf("branch/%d", i)})
			require.NoError(t, err)
			line.belongs(temporal.DeployWorkflowID(d.ID), name)
			require.NoError(t, starter.Start(t.Context(), d, p))
		}
	}
	post("crowd", crowd)
	post("few", few)
	post("some", few)
	waitForBacklog(t, client, namespace, crowd-slots+2*few)
	expected := placesInLine(t, store)
	close(line.open)

	require.Eventually(t, func() bool { return len(line.passed()) == crowd+2*few }, eventually, tick)
	passed := line.passed()
	requireNear(t, expected, passed[slots:])
	last := 0
	for i, project := range passed {
		if project != "crowd" {
			last = i
		}
	}
	// In three rounds of three after the two that had slots; a host that is slow for a moment is seen later than it claimed,
	// which half of the crowd leaves room for.
	require.Less(t, last, slots+crowd/2+2*few, "%v", passed)
	require.Contains(t, passed[slots:slots+2*few], "crowd", "it has its turns too: %v", passed)
	require.Eventually(t, func() bool {
		census, err := store.Census(t.Context())
		require.NoError(t, err)
		return census.Deployments[deployment.StatusReady] == crowd+2*few
	}, eventually, tick)
}

// placesInLine is the order in which projects are to get the next slots, as their deployments show it.
func placesInLine(t *testing.T, store *postgres.Store) []string {
	t.Helper()
	waiting, _, err := store.Deployments(t.Context(), deployment.DeploymentFilter{}, deployment.Page{Limit: 100})
	require.NoError(t, err)
	line := map[int]string{}
	for _, d := range waiting {
		if d.Step != nil && d.Step.QueuePosition > 0 {
			line[d.Step.QueuePosition] = d.ProjectName
		}
	}
	var projects []string
	for place := 1; line[place] != ""; place++ {
		projects = append(projects, line[place])
	}
	require.Len(t, projects, len(line), "every place is taken once")
	return projects
}

// requireNear checks that whoever was at a place got a slot about then: the server's turns begin where it stood when they came,
// and a host may be slow for a moment.
func requireNear(t *testing.T, expected, passed []string) {
	t.Helper()
	const off = 2
	require.Len(t, passed, len(expected))
	count := func(list []string, project string) (n int) {
		for _, p := range list {
			if p == project {
				n++
			}
		}
		return n
	}
	for i := range expected {
		for _, project := range []string{"crowd", "few", "some"} {
			require.InDelta(t, count(expected[:i+1], project), count(passed[:i+1], project), off, "%v\n%v", expected, passed)
		}
	}
}

// line notes in which order projects begin to build, once it is open.
type line struct {
	open chan struct{}

	mu       sync.Mutex
	projects map[string]string // by workflow
	order    []string
}

func (l *line) belongs(workflow, project string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.projects[workflow] = project
}

func (l *line) pass(ctx context.Context) error {
	l.mu.Lock()
	l.order = append(l.order, l.projects[activity.GetInfo(ctx).WorkflowExecution.ID])
	l.mu.Unlock()
	select {
	case <-l.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *line) passed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.order)
}

// waitForBacklog waits until so many claims wait for a slot. The server counts them anew every five seconds.
func waitForBacklog(t *testing.T, client sdkclient.Client, namespace string, claims int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := client.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
			Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: temporal.QueueBuild},
			TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
		})
		return err == nil && d.GetStats().GetApproximateBacklogCount() == claims
	}, eventually, tick)
}
