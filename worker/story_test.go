package worker_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/postgres/postgrestest"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/codec"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

const (
	repository = "https://git.example.com/team/shop.git"
	complaint  = "npm ERR! missing script: build"
	remedy     = "add a build script"
)

// reader reads one deploy as the Web UI does: from Temporal's API alone, payloads through a data converter of its own.
type reader struct {
	t      *testing.T
	client sdkclient.Client // without a codec
	ns     string
	id     string
	payloads
}

// payloads is how the reader makes sense of what the server has.
type payloads = converter.DataConverter

// The same deploy with payload encryption off, and on: then through the codec endpoint, and without it nothing.
func TestStory_StandsInTemporalAlone(t *testing.T) {
	t.Parallel()
	for name, encrypt := range map[string]bool{"plain": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json")})
			require.NoError(t, err)
			sealed := codec.Codec{Cipher: keys}
			ns := devservertest.Namespace(t)
			ours := devservertest.ClientOf(t, ns, func(o *sdkclient.Options) { sealed.Use(o, encrypt) })
			endpoint := httptest.NewServer(codec.Endpoint{Codec: sealed, Known: func(_ context.Context, token string) (bool, error) {
				return token == "t0ken", nil
			}})
			t.Cleanup(endpoint.Close)
			r := reader{t: t, client: devservertest.ClientOf(t, ns), ns: ns, payloads: converter.GetDefaultDataConverter()}
			if encrypt {
				r.payloads = throughEndpoint(endpoint.URL + codec.Path)
			}
			tellsItsStory(t, ours, r, encrypt)
		})
	}
}

func tellsItsStory(t *testing.T, ours sdkclient.Client, r reader, encrypt bool) {
	t.Helper()
	building, fail := make(chan struct{}), make(chan struct{})
	start := newStarter(t, ours, func(ctx context.Context, sink deployment.BuildSink) error {
		sink.Progress(deployment.Progress{Phase: deployment.PhasePush, Percent: 40})
		close(building)
		select {
		case <-fail:
		case <-ctx.Done():
		}
		failure := deployment.UserFailure("build.command_failed", remedy, "exit 1")
		failure.Lines = []string{complaint}
		return failure
	})
	d := start("production")
	r.id = temporal.DeployWorkflowID(d.ID)
	<-building

	now := r.currentDetails()
	for _, part := range []string{
		"shop #1 to production: building", "**4 of 5, build**", "Host: `a`", "Repository: `" + repository + "`", "Ref: `branch release`",
		"Commit: `0123456789abcdef0123456789abcdef01234567`", "Environment: `production`", d.ID,
	} {
		require.Contains(t, now, part)
	}
	require.NotContains(t, now, "Waits for")
	require.Eventually(t, func() bool {
		beat := r.heartbeat("BuildImage")
		return beat.Step == deployment.StepBuild && beat.Phase == deployment.PhasePush && beat.Percent == 40
	}, eventually, tick)
	if encrypt {
		r.requireSealed()
	}

	close(fail)
	require.Error(t, ours.GetWorkflow(t.Context(), r.id, "").Get(t.Context(), nil))
	end := r.currentDetails()
	for _, part := range []string{
		"shop #1 to production: failed", "in step build, class **user**, code `build.command_failed`", "Fix: `" + remedy + "`", "exit 1", complaint,
	} {
		require.Contains(t, end, part)
	}
	r.requireDescribed(d)
	r.requireSummaries(8)
	if encrypt {
		r.requireSealed()
	} else {
		require.Contains(t, string(r.raw()), complaint, "so that its absence means something when encrypted")
	}
}

// A deploy whose host is busy says so, and one that is over says where its preview is.
func TestStory_TellsWhatItWaitsForAndWhereItEnds(t *testing.T) {
	t.Parallel()
	building, finish := make(chan struct{}, 2), make(chan struct{})
	ns := devservertest.Namespace(t)
	client := devservertest.ClientOf(t, ns)
	start := newStarter(t, client, func(ctx context.Context, _ deployment.BuildSink) error {
		building <- struct{}{}
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	start("branch/first")
	<-building
	second := start("branch/second")
	r := reader{t: t, client: client, ns: ns, id: temporal.DeployWorkflowID(second.ID), payloads: converter.GetDefaultDataConverter()}
	require.Eventually(t, func() bool {
		return len(r.describe().GetPendingActivities()) == 1 && strings.Contains(r.currentDetails(), "Waits for: a free build slot")
	}, eventually, tick)

	close(finish)
	require.NoError(t, client.GetWorkflow(t.Context(), r.id, "").Get(t.Context(), nil))
	end := r.currentDetails()
	require.Contains(t, end, "shop #2 to branch/second: ready")
	require.Contains(t, end, "Preview: <http://"+second.ID[len(second.ID)-8:])
	require.NotContains(t, end, "Waits for")
	r.requireSummaries(9)
}

// newStarter runs the worker of one host and returns what starts a deploy to an environment.
func newStarter(t *testing.T, client sdkclient.Client, solve func(context.Context, deployment.BuildSink) error) func(environment string) deployment.Deployment {
	t.Helper()
	pool := postgrestest.New(t)
	store := postgres.New(pool, postgres.Options{PreviewDomain: "localhost"})
	writer := logs.NewWriter(pool, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { assert.NoError(t, writer.Close(context.WithoutCancel(t.Context()))) })
	h := &host{id: "a", store: store, t: t}
	h.on("solve", func(ctx context.Context) error {
		h.mu.Lock()
		sink := h.sink
		h.mu.Unlock()
		return solve(ctx, sink)
	})
	h.work(client, writer, temporal.DefaultLimits())
	p, err := store.CreateProject(t.Context(), deployment.Project{Name: "shop", RepoURL: repository}.WithDefaults())
	require.NoError(t, err)
	return func(environment string) deployment.Deployment {
		d, _, err := store.CreateDeployment(t.Context(), deployment.NewDeployment{
			Project: p, Environment: environment, Ref: deployment.Ref{Kind: deployment.RefBranch, Name: "release"},
		})
		require.NoError(t, err)
		require.NoError(t, (&temporal.Deploys{Client: client, Limits: temporal.DefaultLimits()}).Start(t.Context(), d, p))
		return d
	}
}

// throughEndpoint decodes as the Web UI and the temporal command do.
func throughEndpoint(url string) payloads {
	return converter.NewRemoteDataConverter(converter.GetDefaultDataConverter(), converter.RemoteDataConverterOptions{
		Endpoint: url, ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer t0ken")
			return nil
		},
	})
}

// currentDetails asks for them by the query that the Web UI uses, which works on open and on closed workflows.
func (r reader) currentDetails() string {
	r.t.Helper()
	answer, err := r.client.WorkflowService().QueryWorkflow(r.t.Context(), &workflowservice.QueryWorkflowRequest{
		Namespace: r.ns, Execution: &commonpb.WorkflowExecution{WorkflowId: r.id},
		Query: &querypb.WorkflowQuery{QueryType: "__temporal_workflow_metadata"},
	})
	require.NoError(r.t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(r.t, r.FromPayloads(answer.GetQueryResult(), &metadata))
	return metadata.GetCurrentDetails()
}

func (r reader) describe() *workflowservice.DescribeWorkflowExecutionResponse {
	r.t.Helper()
	description, err := r.client.DescribeWorkflowExecution(r.t.Context(), r.id, "")
	require.NoError(r.t, err)
	return description
}

// heartbeat returns what a pending activity has told of itself, nothing when it is not pending.
func (r reader) heartbeat(activityType string) (beat activities.Beat) {
	r.t.Helper()
	for _, pending := range r.describe().GetPendingActivities() {
		if pending.GetActivityType().GetName() == activityType && pending.GetHeartbeatDetails() != nil {
			require.NoError(r.t, r.FromPayloads(pending.GetHeartbeatDetails(), &beat))
		}
	}
	return beat
}

func (r reader) requireDescribed(d deployment.Deployment) {
	r.t.Helper()
	description := r.describe()
	var summary, details, repo, ref string
	metadata, memo := description.GetExecutionConfig().GetUserMetadata(), description.GetWorkflowExecutionInfo().GetMemo().GetFields()
	for payload, into := range map[*commonpb.Payload]*string{
		metadata.GetSummary(): &summary, metadata.GetDetails(): &details, memo["repository"]: &repo, memo["ref"]: &ref,
	} {
		require.NoError(r.t, r.FromPayload(payload, into))
	}
	require.Equal(r.t, "shop #1 to production", summary)
	require.Contains(r.t, details, "slipway logs "+d.ID)
	require.Equal(r.t, repository, repo)
	require.Equal(r.t, "branch release", ref)

	described, err := r.client.DescribeWorkflow(r.t.Context(), r.id, "")
	require.NoError(r.t, err)
	for key, want := range map[sdktemporal.SearchAttributeKeyKeyword]string{
		temporal.AttrProject: "shop", temporal.AttrEnvironment: "production", temporal.AttrStep: "build", temporal.AttrStatus: "failed",
		temporal.AttrCommit: "0123456789abcdef0123456789abcdef01234567",
	} {
		got, _ := described.TypedSearchAttributes.GetKeyword(key)
		require.Equal(r.t, want, got, key.GetName())
	}
}

func (r reader) history() *historypb.History {
	r.t.Helper()
	history := &historypb.History{}
	events := r.client.GetWorkflowHistory(r.t.Context(), r.id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r.t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

// requireSummaries looks at every activity and timer that the history has: the deadline, resolve, claim, fetch, plan, build,
// vacate, and close or place and release.
func (r reader) requireSummaries(want int) {
	r.t.Helper()
	seen := 0
	for _, event := range r.history().GetEvents() {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_TIMER_STARTED:
		default:
			continue
		}
		var summary string
		require.NoError(r.t, r.FromPayload(event.GetUserMetadata().GetSummary(), &summary), protojson.Format(event))
		require.NotEmpty(r.t, summary)
		seen++
	}
	require.Equal(r.t, want, seen)
}

// raw is everything that the server has of the workflow.
func (r reader) raw() []byte {
	r.t.Helper()
	history, err := proto.Marshal(r.history())
	require.NoError(r.t, err)
	description, err := proto.Marshal(r.describe())
	require.NoError(r.t, err)
	return append(history, description...)
}

// requireSealed fails when the server has a word of what is encrypted.
func (r reader) requireSealed() {
	r.t.Helper()
	raw := r.raw()
	for _, word := range []string{
		"git.example.com", "branch release", "deployment_id", "slipway logs", "free build slot", "plan the build", "sha256:", "percent",
		"exit 1", complaint, remedy,
	} {
		require.False(r.t, bytes.Contains(raw, []byte(word)), "%q can be read", word)
	}
}
