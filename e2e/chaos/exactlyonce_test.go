package chaos_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/api/client"
)

var (
	posts = flag.Int("posts", 1000, "requests of TestExactlyOnce")
	keys  = flag.Int("keys", 20, "Idempotency-Keys of TestExactlyOnce, a multiple of 10")
	down  = flag.Duration("down", 2*time.Second, "how long a killed process stays down")
)

const parallel = 32

// Any number of requests with the same key, at once and while the API is killed twice, make one deployment with one
// workflow. Nothing is built: the git server holds its answer until the deploys are counted.
func TestExactlyOnce(t *testing.T) {
	hold := newGate(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/once-") })
	in.git.add(hold)
	defer hold.open()
	var projects []string
	for n := range 10 {
		projects = append(projects, newApp(t, fmt.Sprintf("once-%d", n), nil, 0).project)
	}

	var answered, killed atomic.Int64
	var mu sync.Mutex
	made := map[string]string{} // the deployment of each key
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(parallel + 1)
	begun := time.Now()
	group.Go(func() error {
		for killed.Load() < 2 {
			if answered.Load() < (killed.Load()+1)*int64(*posts)/3 {
				if err := pause(ctx, time.Millisecond); err != nil {
					return err
				}
				continue
			}
			if err := replace(ctx, "api"); err != nil {
				return err
			}
			killed.Add(1)
		}
		return nil
	})
	for n := range *posts {
		group.Go(func() error {
			k := n % *keys
			id, err := postUntilAccepted(ctx, projects[k%len(projects)], fmt.Sprintf("key-%d", k))
			if err != nil {
				return err
			}
			answered.Add(1)
			mu.Lock()
			defer mu.Unlock()
			key := fmt.Sprint(k)
			if before, seen := made[key]; seen && before != id {
				return fmt.Errorf("key %s made two deployments, %s and %s", key, before, id)
			}
			made[key] = id
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.EqualValues(t, 2, killed.Load())
	t.Logf("%d requests of %d keys, %d at a time, API killed twice: answered after %.1fs", *posts, *keys, parallel, time.Since(begun).Seconds())
	require.Len(t, made, *keys)

	var rows int
	require.NoError(t, in.db.QueryRow(t.Context(),
		"SELECT count(*) FROM deployments d JOIN projects p ON p.id = d.project_id WHERE p.name LIKE 'once-%'").Scan(&rows))
	require.Equal(t, *keys, rows, "deployments")
	require.Eventually(t, func() bool { return runsOf(t, made) == *keys }, ofADeploy, 100*time.Millisecond, "each has a workflow")
	for _, id := range made {
		_, err := in.call(t.Context(), http.MethodPost, "/v1/deployments/"+id+"/cancel", "", nil, nil)
		if err != nil { // another one of its environment has superseded it
			require.Contains(t, err.Error(), "409")
		}
	}
	for _, id := range made {
		await(t, id, "ended", ofADeploy, func(d client.Deployment) bool { return d.Status == "canceled" || d.Status == "superseded" })
	}
	require.Equal(t, *keys, runsOf(t, made), "and no second one")
	t.Logf("%d deployments, %d workflows", rows, *keys)
}

// postUntilAccepted repeats a request until it is answered, as a client does that has a key.
func postUntilAccepted(ctx context.Context, project, key string) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, ofADeploy)
	defer cancel()
	for {
		var d client.Deployment
		body := map[string]any{"branch": "main", "environment": "branch/" + key} // in one, a newer deploy would supersede the others
		status, err := in.call(ctx, http.MethodPost, "/v1/projects/"+project+"/deployments", key, body, &d)
		if err == nil {
			return d.ID, nil
		}
		if status != 0 && status < http.StatusInternalServerError {
			return "", err
		}
		if pause(ctx, 4*tick) != nil {
			return "", err
		}
	}
}

// runsOf counts the runs that Temporal has of deployments' workflows.
func runsOf(t *testing.T, ids map[string]string) (n int) {
	t.Helper()
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted["deploy/"+id] = true
	}
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", Query: "WorkflowType = 'Deploy'", PageSize: 1000}
	for {
		page, err := in.flows.ListWorkflow(t.Context(), request)
		require.NoError(t, err)
		for _, e := range page.GetExecutions() {
			if wanted[e.GetExecution().GetWorkflowId()] {
				n++
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return n
		}
	}
}

// A 202 outlives everything that gave it.
func TestAcceptedSurvivesTheDeathOfAll(t *testing.T) {
	a := newApp(t, "accepted", nil, 0)
	id := a.deploy(t)
	require.NoError(t, replace(t.Context(), "api", "temporal", "postgres"))
	awaitStatus(t, id, "ready")
	requireInvariants(t, a, id)
}

// A row whose workflow could not be started is started once Temporal is back.
func TestRowWithoutWorkflowIsStarted(t *testing.T) {
	a := newApp(t, "unstarted", nil, 0)
	temporal := in.part("temporal")
	require.NoError(t, temporal.kill())
	id := a.deploy(t)
	var run string
	require.NoError(t, in.db.QueryRow(t.Context(), "SELECT run_id FROM deployments WHERE id = $1", id).Scan(&run))
	require.Empty(t, run)
	require.NoError(t, temporal.start(t.Context()))
	awaitStatus(t, id, "ready")
	requireInvariants(t, a, id)
}

// replace kills processes at the same moment and starts them again a while later, in the order in which they depend on
// one another.
func replace(ctx context.Context, names ...string) error {
	group := errgroup.Group{}
	for _, name := range names {
		group.Go(in.part(name).kill)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := pause(ctx, *down); err != nil {
		return err
	}
	for _, p := range in.parts {
		for _, name := range names {
			if p.name != name {
				continue
			}
			if err := p.start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
