package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/slipway-dev/slipway/api/client"
)

// repaired is how long what is left may take to go.
const repaired = 3 * time.Minute

// requireInvariants waits until everything about a deployment that has become ready is as it should be, and says what is
// not when it does not get there.
func requireInvariants(t *testing.T, a *app, id string) {
	t.Helper()
	requireSoon(t, func() []string { return violations(t.Context(), a, id) }, "deployment %s of %s, %s after it was ready", id, a.project, repaired)
}

// requireNothingLeft waits until nothing is left of a deployment that ended without having been live: no container, network
// or workspace, no row of the ledger for one, no preview that answers, no step that runs.
func requireNothingLeft(t *testing.T, id string) {
	t.Helper()
	requireSoon(t, func() []string { return remains(t.Context(), id) }, "deployment %s, %s after it ended", id, repaired)
}

func requireSoon(t *testing.T, check func() []string, message string, args ...any) {
	t.Helper()
	var wrong []string
	for deadline := time.Now().Add(repaired); time.Now().Before(deadline); {
		if wrong = check(); len(wrong) == 0 {
			return
		}
		require.NoError(t, pause(t.Context(), 2*tick))
	}
	require.Empty(t, wrong, append([]any{message}, args...)...)
}

// remains says what is left of an ended deployment.
func remains(ctx context.Context, id string) (left []string) {
	var d client.Deployment
	if _, err := in.call(ctx, "GET", "/v1/deployments/"+id, "", nil, &d); err != nil {
		return []string{err.Error()}
	}
	if _, err := visit(ctx, d.PreviewURL); err == nil {
		left = append(left, "its preview answers")
	}
	containers, err := engine(ctx, "ps", "-aq", "--filter", "label=slipway.deployment="+id)
	for _, c := range containers {
		left = append(left, "container "+c)
	}
	for _, check := range []func(context.Context, client.Deployment) ([]string, error){wrongLedger, wrongLog, stepsThatRun} {
		found, err := check(ctx, d)
		left = append(left, found...)
		if err != nil {
			left = append(left, err.Error())
		}
	}
	if err != nil {
		left = append(left, err.Error())
	}
	return left
}

// stepsThatRun lists the steps of an ended deployment that still count as running.
func stepsThatRun(ctx context.Context, d client.Deployment) (running []string, err error) {
	query, err := in.db.Query(ctx, "SELECT step || ' counts as running' FROM steps WHERE deployment_id = $1 AND status = 'running'", d.ID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(query, pgx.RowTo[string])
}

// violations says what is wrong about a ready deployment and its environment.
func violations(ctx context.Context, a *app, id string) (wrong []string) {
	var d client.Deployment
	if _, err := in.call(ctx, "GET", "/v1/deployments/"+id, "", nil, &d); err != nil {
		return []string{err.Error()}
	}
	if d.Status != "ready" {
		wrong = append(wrong, fmt.Sprintf("its status is %s", d.Status))
	}
	for _, url := range []string{d.PreviewURL, d.EnvironmentURL} {
		if body, err := visit(ctx, url); err != nil {
			wrong = append(wrong, err.Error())
		} else if body != a.answer {
			wrong = append(wrong, fmt.Sprintf("%s answers %q", url, body))
		}
	}
	for _, check := range []func(context.Context, client.Deployment) ([]string, error){wrongContainers, wrongLedger, wrongLog, wrongSteps} {
		found, err := check(ctx, d)
		if err != nil {
			found = append(found, err.Error())
		}
		wrong = append(wrong, found...)
	}
	return wrong
}

// wrongContainers checks that one container runs in the environment, that of the deployment, and that the route and the
// preview's row say so too.
func wrongContainers(ctx context.Context, d client.Deployment) (wrong []string, err error) {
	running, err := engine(ctx, "ps", "-q", "--no-trunc", "--filter", "label=slipway.environment="+d.Environment.ID)
	if err != nil {
		return nil, err
	}
	var live, container string
	var previews int
	err = in.db.QueryRow(ctx, `SELECT e.live_deployment_id, p.container_id, (SELECT count(*) FROM previews o JOIN deployments od ON od.id = o.deployment_id
		WHERE od.environment_id = e.id AND o.state IN ('starting', 'live'))
		FROM environments e JOIN previews p ON p.deployment_id = e.live_deployment_id WHERE e.id = $1`, d.Environment.ID).Scan(&live, &container, &previews)
	if err != nil {
		return nil, fmt.Errorf("route of the environment: %w", err)
	}
	if live != d.ID {
		wrong = append(wrong, "the route leads to deployment "+live)
	}
	if previews != 1 {
		wrong = append(wrong, fmt.Sprintf("%d previews count as starting or live", previews))
	}
	if len(running) != 1 || running[0] != container {
		wrong = append(wrong, fmt.Sprintf("containers that run: %v, the route's is %s", running, container))
	}
	return wrong, nil
}

// wrongLedger compares the ledger's rows for the deployment's project with containers, networks and workspaces.
func wrongLedger(ctx context.Context, d client.Deployment) (wrong []string, err error) {
	var rows []string
	query, err := in.db.Query(ctx, `SELECT r.kind || ' ' || r.name FROM resources r JOIN deployments d ON d.id = r.deployment_id
		WHERE d.project_id = $1 AND r.kind IN ('container', 'network', 'workspace', 'lease')`, d.ProjectID)
	if err == nil {
		rows, err = pgx.CollectRows(query, pgx.RowTo[string])
	}
	if err != nil {
		return nil, err
	}
	containers, err := engine(ctx, "ps", "-a", "--format", "{{.Names}}", "--filter", "label=slipway.project="+d.ProjectID)
	if err != nil {
		return nil, err
	}
	networks, err := engine(ctx, "network", "ls", "--format", "{{.Name}}", "--filter", "label=slipway.project="+d.ProjectID)
	if err != nil {
		return nil, err
	}
	var things []string
	for _, name := range containers {
		things = append(things, "container "+name)
	}
	for _, name := range networks {
		things = append(things, "network "+name)
	}
	workspaces, err := os.ReadDir(in.path("data/workspaces"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, w := range workspaces {
		if w.Name() == d.ID {
			things = append(things, "workspace "+w.Name())
		}
	}
	for _, row := range rows {
		if !slices.Contains(things, row) {
			wrong = append(wrong, "in the ledger, but not there: "+row)
		}
	}
	for _, thing := range things {
		if !slices.Contains(rows, thing) {
			wrong = append(wrong, "there, but not in the ledger: "+thing)
		}
		if strings.HasPrefix(thing, "workspace ") {
			wrong = append(wrong, "left: "+thing)
		}
	}
	return wrong, nil
}

// wrongLog checks that the log's numbers, as a reader meets them from the first to the last, have neither gap nor double. A cut
// is the one gap that there may be, and its line has to say what is gone.
func wrongLog(ctx context.Context, d client.Deployment) (wrong []string, err error) {
	var seen, head int64
	for more := true; more; {
		var page client.LogPage
		if _, err := in.call(ctx, "GET", fmt.Sprintf("/v1/deployments/%s/logs?limit=1000&after=%d", d.ID, seen), "", nil, &page); err != nil {
			return nil, err
		}
		for _, l := range page.Items {
			marked := l.Cut != nil && l.Cut.From == seen+1 && l.Cut.To == l.Seq && l.Cut.Lines == l.Seq-seen
			if l.Seq != seen+1 && !marked {
				wrong = append(wrong, fmt.Sprintf("in the log %d follows %d", l.Seq, seen))
			}
			seen = l.Seq
		}
		more = len(page.Items) > 0
	}
	err = in.db.QueryRow(ctx, "SELECT coalesce((SELECT seq FROM log_heads WHERE deployment_id = $1), 0)", d.ID).Scan(&head)
	if err == nil && (seen < head || seen == 0 && d.Status == "ready") { // its app may have printed more since
		wrong = append(wrong, fmt.Sprintf("the log's last line is %d, its head says %d", seen, head))
	}
	return wrong, err
}

// stepOf names the step that people see of an activity.
var stepOf = map[string]string{
	"ResolveRef": "resolve", "FetchSource": "fetch", "MakePlan": "plan", "BuildImage": "build", "ReleasePreview": "release",
}

// wrongSteps compares the steps with the workflow's history: a step's last attempt succeeded, as many attempts did as the
// history has completed, or more (a worker that died after the row and before its answer has the attempt done again), and
// none counts as running. A run that takes a step again, as on another host, goes on counting the attempts, which Temporal
// does not: so they are compared by number, not one by one.
func wrongSteps(ctx context.Context, d client.Deployment) (wrong []string, err error) {
	// Build and release stand there by their phases: the last one tells. A drain is another deployment's end.
	query, err := in.db.Query(ctx, `SELECT DISTINCT ON (step, attempt) step, status FROM steps
		WHERE deployment_id = $1 AND run_id = $2 AND phase <> 'drain' ORDER BY step, attempt, started_at DESC, id DESC`, d.ID, d.RunID)
	if err != nil {
		return nil, err
	}
	succeeded, last := map[string]int{}, map[string]string{}
	var step, status string
	if _, err := pgx.ForEachRow(query, []any{&step, &status}, func() error {
		last[step] = status
		if status == "succeeded" || status == "reused" {
			succeeded[step]++
		}
		if status == "running" {
			wrong = append(wrong, step+" still counts as running")
		}
		return nil
	}); err != nil {
		return nil, err
	}
	completed, err := completedSteps(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, step := range stepOf {
		switch {
		case completed[step] == 0:
			wrong = append(wrong, step+" has not completed in the history of a ready deployment")
		case succeeded[step] < completed[step]:
			wrong = append(wrong, fmt.Sprintf("%s completed %d times in the history, and %d of its attempts count as succeeded", step, completed[step], succeeded[step]))
		case last[step] != "succeeded" && last[step] != "reused":
			wrong = append(wrong, fmt.Sprintf("%s completed, and its last attempt counts as %q", step, last[step]))
		}
	}
	return wrong, nil
}

// completedSteps counts, by step, the activities that the history of the deployment's run has as completed.
func completedSteps(ctx context.Context, d client.Deployment) (map[string]int, error) {
	scheduled, completed := map[int64]string{}, map[string]int{}
	history := in.flows.GetWorkflowHistory(ctx, d.WorkflowID, *d.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			return nil, err
		}
		if s := e.GetActivityTaskScheduledEventAttributes(); s != nil {
			scheduled[e.GetEventId()] = stepOf[s.GetActivityType().GetName()]
		}
		if c := e.GetActivityTaskCompletedEventAttributes(); c != nil && scheduled[c.GetScheduledEventId()] != "" {
			completed[scheduled[c.GetScheduledEventId()]]++
		}
	}
	return completed, nil
}

// engine runs docker and returns the words that it prints.
func engine(ctx context.Context, args ...string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "docker", append([]string{"--host", in.dockerd}, args...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.Fields(string(out)), nil
}
