package activities_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdktemporal "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/internal/source"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

func TestMain(m *testing.M) {
	devservertest.Widen()
	code := postgrestest.Main(m)
	devservertest.Stop()
	os.Exit(code)
}

const (
	hostID   = "host-1"
	interval = 100 * time.Millisecond // between heartbeats
	silence  = 10 * time.Second       // after which the server gives an attempt up: long, since machines are slow
	brief    = 3 * time.Second        // the same, where a test waits for it
	soon     = 3 * time.Minute        // for what is to happen at once, on a busy machine
)

// namespace is shared by all tests of the package, whose queues and workflow ids differ.
var namespace struct {
	sync.Once
	name string
}

// bench is a worker with all activities of slipway on a real Temporal server, Postgres and git; only the builder, the
// registry and the engine are of the test's own, so that they can be stopped at a chosen point.
type bench struct {
	t        *testing.T
	pool     *pgxpool.Pool
	store    *postgres.Store
	writer   *logs.Writer
	reader   *logs.Reader
	client   sdkclient.Client
	deploys  *temporal.Deploys // on the server, where nobody works on what it starts
	queue    string
	silence  time.Duration // heartbeat time-out
	stop     func()        // of the worker: waits for what runs
	recorder *activities.Recorder
	beats    *beats
	runs     *runs
	repo     *gitservetest.Repo
	commit   string
	project  deployment.Project

	workspaces activities.Workspaces
	mirrors    *source.Mirrors
	git        *git
	builder    *builder
	shelf      *shelf
	engine     *engine
	planner    *planner

	source  *activities.Source
	slots   *activities.Slots
	plan    *activities.Plan
	build   *activities.Build
	preview *activities.Preview
	control *activities.Control
}

func newBench(t *testing.T) *bench {
	t.Helper()
	namespace.Do(func() { namespace.name = devservertest.Namespace(t) })
	return newBenchOn(t, devservertest.ClientOf(t, namespace.name))
}

// newBenchOn is a bench on a server of the test's choice.
func newBenchOn(t *testing.T, client sdkclient.Client) *bench {
	t.Helper()
	keys, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset")})
	require.NoError(t, err)
	b := &bench{t: t, pool: postgrestest.New(t), client: client, queue: "test-" + uuid.NewString(), silence: silence}
	b.store = postgres.New(b.pool, postgres.Options{PreviewDomain: "localhost", Cipher: keys})
	quiet := slog.New(slog.DiscardHandler)
	b.writer, b.reader = logs.NewWriter(b.pool, quiet), logs.NewReader(b.pool, quiet)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		b.reader.Close()
		if err := b.writer.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	b.addRepo()
	b.addActivities(quiet)
	b.work()
	return b
}

func (b *bench) addRepo() {
	server := gitservetest.New(b.t, gitserve.Options{AllowAnySHA: true})
	b.repo = server.Repo(b.t, "app")
	b.commit = gitservetest.Commit(b.t, b.repo, "main", map[string]string{"index.html": "hello"})
	client, err := source.New(source.Options{TrustedOrigins: []string{server.URL}})
	require.NoError(b.t, err)
	b.mirrors = source.NewMirrors(filepath.Join(b.t.TempDir(), "mirrors"), 1<<30)
	b.git = &git{Git: client.WithMirrors(b.mirrors)}
	project := deployment.Project{Name: "app", RepoURL: b.repo.URL}.WithDefaults()
	project.HealthCheck.TimeoutSeconds = 5
	b.project, err = b.store.CreateProject(b.t.Context(), project)
	require.NoError(b.t, err)
}

func (b *bench) addActivities(log *slog.Logger) {
	b.workspaces = activities.Workspaces{Root: filepath.Join(b.t.TempDir(), "workspaces")}
	b.shelf = &shelf{digests: map[string]string{}, layers: map[string][]deployment.Layer{}}
	b.builder = &builder{b: b, finished: map[string]string{}}
	b.engine = newEngine(b, hostID)
	b.planner = &planner{}
	b.beats = &beats{HeartbeatClient: b.client}
	b.runs = &runs{Runs: &temporal.Deploys{Client: b.client}}
	b.recorder = &activities.Recorder{
		Steps: b.store, Store: b.store, Runs: b.runs, Logs: b.writer, HostID: hostID, Now: time.Now, Log: log,
		Heartbeats: &activities.Heartbeats{Client: b.beats, Interval: interval, Limit: 2 * time.Second},
	}
	b.source = &activities.Source{
		Store: b.store, Ledger: b.store, Logs: b.writer, Git: b.git, Workspaces: b.workspaces, Images: b.shelf, PushHost: "registry:5000", HostID: hostID,
	}
	b.slots = &activities.Slots{Store: b.store, Steps: b.store, Ledger: b.store, Workspaces: b.workspaces, Mirrors: b.mirrors, HostID: hostID}
	b.plan = &activities.Plan{Store: b.store, Logs: b.writer, Planner: b.planner, Workspaces: b.workspaces}
	b.build = &activities.Build{
		Store: b.store, Ledger: b.store, Logs: b.writer, Builder: b.builder, Images: b.shelf, Workspaces: b.workspaces, PushHost: "registry:5000",
	}
	b.deploys = &temporal.Deploys{Client: b.client, Namespace: namespace.name, Limits: temporal.DefaultLimits()}
	turns := &activities.Turns{Line: b.store, Workflows: b.deploys, Log: log}
	b.preview = &activities.Preview{
		Store: b.store, Steps: b.store, Ledger: b.store, Logs: b.writer, Engine: b.engine, HostID: hostID, PullHost: "localhost:5000",
		Turns: turns, Leases: b.store, Policy: idlePolicy, Hold: b.recorder.Hold, Alone: new(activities.OneByOne).Take,
	}
	b.control = &activities.Control{Store: b.store, Ledger: b.store, Hosts: b.store, Turns: turns, Leases: b.store, Policy: idlePolicy, Limits: b.deploys.Limits}
}

// work starts the worker; stopping it lets nothing linger.
func (b *bench) work() {
	w := sdkworker.New(b.client, b.queue, sdkworker.Options{
		Interceptors: []interceptor.WorkerInterceptor{b.recorder}, WorkerStopTimeout: 3 * time.Second,
	})
	for _, set := range []any{b.source, b.slots, b.plan, b.build, b.preview, b.control} {
		w.RegisterActivity(set)
	}
	w.RegisterWorkflowWithOptions(runScript, workflow.RegisterOptions{Name: "script"})
	require.NoError(b.t, w.Start())
	b.stop = sync.OnceFunc(w.Stop)
	b.t.Cleanup(b.stop)
}

// history is the whole history of a run, as text.
func (b *bench) history(run sdkclient.WorkflowRun) string {
	b.t.Helper()
	var text strings.Builder
	events := b.client.GetWorkflowHistory(b.t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(b.t, err)
		text.WriteString(event.String() + event.GetEventType().String())
	}
	return text.String()
}

func (b *bench) historyOf(d deployment.Deployment) string {
	b.t.Helper()
	return b.history(b.client.GetWorkflow(b.t.Context(), temporal.DeployWorkflowID(d.ID), ""))
}

// script is what a test's workflow does; the workflow finds it by its id.
type script func(workflow.Context) error

var scripts sync.Map // workflow id → script

func runScript(ctx workflow.Context) error {
	s, _ := scripts.Load(workflow.GetInfo(ctx).WorkflowExecution.ID)
	return s.(script)(ctx)
}

// start runs s as a run of the deployment's workflow.
func (b *bench) start(d deployment.Deployment, s script) sdkclient.WorkflowRun {
	b.t.Helper()
	id := temporal.DeployWorkflowID(d.ID)
	scripts.Store(id, s)
	run, err := b.client.ExecuteWorkflow(b.t.Context(), sdkclient.StartWorkflowOptions{
		ID: id, TaskQueue: b.queue,
	}, "script")
	require.NoError(b.t, err)
	return run
}

// runAs runs s to its end as a workflow of whichever id.
func (b *bench) runAs(id string, s script) error {
	b.t.Helper()
	scripts.Store(id, s)
	run, err := b.client.ExecuteWorkflow(b.t.Context(), sdkclient.StartWorkflowOptions{
		ID: id, TaskQueue: b.queue,
	}, "script")
	if err != nil {
		return err
	}
	return run.Get(b.t.Context(), nil)
}

// run runs s to its end.
func (b *bench) run(d deployment.Deployment, s script) error {
	b.t.Helper()
	return b.start(d, s).Get(b.t.Context(), nil)
}

// options are those of the deploy's steps, only quicker.
func (b *bench) options(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: b.queue, StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: b.silence, WaitForCancellation: true,
		RetryPolicy: &sdktemporal.RetryPolicy{InitialInterval: 50 * time.Millisecond, BackoffCoefficient: 2, MaximumAttempts: 3},
	})
}

// onlooker sees deployments as people do when a step begins to wait for its next attempt.
type onlooker struct {
	activities.StepRecorder
	b       *bench
	waiting chan<- deployment.Deployment
}

func (o onlooker) StepEnded(
	ctx context.Context, a activities.StepAttempt, status deployment.StepStatus, f *deployment.Failure, next *time.Time, at time.Time,
) error {
	err := o.StepRecorder.StepEnded(ctx, a, status, f, next, at)
	if err == nil && next != nil {
		o.waiting <- o.b.get(deployment.Deployment{ID: a.DeploymentID})
	}
	return err
}

// lookOn tells of deployments whose step waits for its next attempt.
func (b *bench) lookOn() (waiting <-chan deployment.Deployment) {
	seen := make(chan deployment.Deployment, 3) // attempts
	b.recorder.Steps = onlooker{b.store, b, seen}
	return seen
}

// untilNobodyIsAtWork waits for all attempts at a deployment's steps, those included that the server has given up.
func (b *bench) untilNobodyIsAtWork(d deployment.Deployment) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.recorder.Holds(d.ID) == 0 }, soon, interval/10)
}

// call executes one activity.
func call[Out any](ctx workflow.Context, b *bench, activity any, in any) (out Out, err error) {
	ctx = b.options(ctx)
	err = workflow.ExecuteActivity(ctx, activity, in).Get(ctx, &out)
	return out, err
}

type none struct{}

// deploy is a new deployment of the default branch to production.
func (b *bench) deploy() deployment.Deployment {
	b.t.Helper()
	return b.deployTo("production")
}

func (b *bench) deployTo(environment string) deployment.Deployment {
	b.t.Helper()
	d, _, err := b.store.CreateDeployment(b.t.Context(), deployment.NewDeployment{Project: b.project, Environment: environment})
	require.NoError(b.t, err)
	return d
}

// inLine lets newer deployments of an environment wait rather than supersede what is under way.
func (b *bench) inLine(d deployment.Deployment) {
	b.t.Helper()
	_, _, err := b.store.SetOrderPolicy(b.t.Context(), d.EnvironmentID, deployment.OrderQueue)
	require.NoError(b.t, err)
}

// upTo takes the steps before last.
func (b *bench) upTo(ctx workflow.Context, d deployment.Deployment, last deployment.StepName) error {
	step, at := temporal.StepInput{DeploymentID: d.ID}, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit}
	for _, s := range deployment.Steps() {
		var err error
		switch s {
		case last, deployment.StepRelease:
			return nil
		case deployment.StepResolve:
			_, err = call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, step)
		case deployment.StepFetch:
			_, err = call[none](ctx, b, b.source.FetchSource, at)
		case deployment.StepPlan:
			_, err = call[temporal.PlanResult](ctx, b, b.plan.MakePlan, at)
		case deployment.StepBuild:
			_, err = call[temporal.BuildResult](ctx, b, b.build.BuildImage, b.buildInput(d))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeOver begins another run of a deployment, as a reset of its workflow would.
func (b *bench) takeOver(ctx context.Context, d deployment.Deployment, run string) error {
	b.runs.newest.Store(&run)
	return b.store.BeginRun(ctx, d.ID, b.get(d).RunID, run)
}

func (b *bench) buildInput(d deployment.Deployment) temporal.BuildInput {
	return temporal.BuildInput{DeploymentID: d.ID, Commit: b.commit}
}

func (b *bench) releaseInput(d deployment.Deployment) temporal.ReleaseInput {
	return temporal.ReleaseInput{DeploymentID: d.ID, Image: "app", Digest: digestOf("app")}
}

func (b *bench) get(d deployment.Deployment) deployment.Deployment {
	b.t.Helper()
	d, err := b.store.Deployment(context.Background(), d.ID)
	require.NoError(b.t, err)
	return d
}

// steps reads the rows of one step.
func (b *bench) steps(d deployment.Deployment, name deployment.StepName) (list []deployment.Step) {
	b.t.Helper()
	all, err := b.store.Steps(context.Background(), d.ID)
	require.NoError(b.t, err)
	for _, s := range all {
		if s.Name == name {
			list = append(list, s)
		}
	}
	return list
}

func statuses(steps []deployment.Step) (list []deployment.StepStatus) {
	for _, s := range steps {
		list = append(list, s.Status)
	}
	return list
}

// owned reads the names of what a deployment owns.
func (b *bench) owned(d deployment.Deployment, kinds ...deployment.ResourceKind) (names []string) {
	b.t.Helper()
	rows, err := b.store.Owned(context.Background(), d.ID, "", kinds...)
	require.NoError(b.t, err)
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names
}

// log reads the texts of a deployment's log.
func (b *bench) log(d deployment.Deployment) (texts []string) {
	b.t.Helper()
	lines, err := b.reader.Lines(context.Background(), d.ID, 0, 10_000)
	require.NoError(b.t, err)
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}

// outage takes the database away from everybody until the returned function is called.
func (b *bench) outage() (end func()) {
	b.t.Helper()
	config := b.pool.Config().ConnConfig
	name := config.Database
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(context.Background(), config)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	run := func(sql string) {
		_, err := conn.Exec(context.Background(), sql)
		require.NoError(b.t, err)
	}
	run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	return sync.OnceFunc(func() { run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true") })
}
