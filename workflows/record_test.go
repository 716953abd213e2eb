package workflows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
	"github.com/slipway-dev/slipway/worker"
)

const histories = "testdata/histories"

var record = flag.Bool("record", false, "write the histories of all scenarios anew (testdata/histories/README.md says when)")

// TestScenarios takes every scenario through a real server. With -record (`make histories`) it writes their histories, which
// it otherwise only makes, so that what is recorded is known to come to the end that its name says.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := devservertest.Namespace(t)
			client := devservertest.ClientOf(t, namespace)
			run := s.run(t, client, namespace)
			history := historyOf(t, client, run)
			last := history.GetEvents()[len(history.GetEvents())-1]
			require.Equal(t, s.ends(), last.GetEventType())
			if s.code != "" {
				require.Equal(t, s.code, last.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetType())
			}
			require.Equal(t, run.GetRunID(), runIDOf(history))
			anonymise(history.ProtoReflect())
			data := encode(t, history)
			if host, err := os.Hostname(); err == nil {
				require.NotContains(t, string(data), host)
			}
			if *record {
				require.NoError(t, os.WriteFile(filepath.Join(histories, name+".json"), data, 0o600))
			}
		})
	}
}

func (s scenario) ends() enumspb.EventType {
	if s.end != enumspb.EVENT_TYPE_UNSPECIFIED {
		return s.end
	}
	return enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
}

// run takes a workflow through the scenario and returns when it has closed.
func (s scenario) run(t *testing.T, client sdkclient.Client, namespace string) sdkclient.WorkflowRun {
	t.Helper()
	begun := make(chan struct{})
	answers := &standIns{on: map[string]func(context.Context) error{}}
	if s.arrange != nil {
		s.arrange(answers, begun)
	}
	for _, queue := range []string{temporal.QueueControl, temporal.QueueBuild, temporal.QueueBuildHost("h1"), temporal.QueuePreviewHost("p1")} {
		w := sdkworker.New(client, queue, sdkworker.Options{DisableWorkflowWorker: queue != temporal.QueueControl})
		if queue == temporal.QueueControl {
			worker.RegisterWorkflows(w)
		}
		w.RegisterActivity(answers)
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	run := s.start(t, client)
	if s.cancels {
		<-begun
		require.NoError(t, client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	}
	if s.resets != nil {
		select {
		case <-begun:
		case <-ended(t, run):
		}
		if s.cancels {
			<-ended(t, run)
		}
		run = s.reset(t, client, namespace, run)
	}
	<-ended(t, run)
	return run
}

func (s scenario) start(t *testing.T, client sdkclient.Client) sdkclient.WorkflowRun {
	t.Helper()
	limits := quickLimits()
	if s.limits != nil {
		s.limits(&limits)
	}
	id, name, in := temporal.DeployWorkflowID(deploymentID), temporal.WorkflowDeploy, any(temporal.DeployInput{
		DeploymentID: deploymentID, Project: "app", Environment: "production", Limits: limits,
	})
	switch s.workflow {
	case temporal.WorkflowReconcile:
		id, name, in = "reconcile", s.workflow, temporal.ReconcileInput{Limits: limits, List: s.named}
	case temporal.WorkflowTeardown:
		id, name, in = temporal.TeardownWorkflowID("p"), s.workflow, temporal.TeardownInput{ProjectID: "p", Limits: limits}
	}
	if s.workflow == temporal.WorkflowLease {
		leases := &temporal.Deploys{Client: client, Limits: limits}
		require.NoError(t, leases.PokeLease(t.Context(), "e"))
		return client.GetWorkflow(t.Context(), temporal.LeaseWorkflowID("e"), current(t, client, temporal.LeaseWorkflowID("e")))
	}
	run, err := client.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{ID: id, TaskQueue: temporal.QueueControl}, name, in)
	require.NoError(t, err)
	return run
}

// current is the newest run of a workflow.
func current(t *testing.T, client sdkclient.Client, id string) string {
	t.Helper()
	described, err := client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	return described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
}

// ended is closed when a run has closed; how stands in the history.
func ended(t *testing.T, run sdkclient.WorkflowRun) <-chan struct{} {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run.GetWithOptions(t.Context(), nil, sdkclient.WorkflowRunGetOptions{DisableFollowingRuns: true})
	}()
	return done
}

// reset resets a run to where the scenario wants it and returns the new one.
func (s scenario) reset(t *testing.T, client sdkclient.Client, namespace string, run sdkclient.WorkflowRun) sdkclient.WorkflowRun {
	t.Helper()
	reset, err := client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		WorkflowTaskFinishEventId: s.resets(historyOf(t, client, run).GetEvents()), Reason: "scenario",
	})
	require.NoError(t, err)
	return client.GetWorkflow(t.Context(), run.GetID(), reset.GetRunId())
}

// quickLimits let a host count as gone after three seconds: on a busy machine one that is there may take one.
func quickLimits() temporal.Limits {
	limits := temporal.DefaultLimits()
	limits.ScheduleToStart, limits.Heartbeat = 3*time.Second, 5*time.Second
	return limits
}

func historyOf(t *testing.T, client sdkclient.Client, run sdkclient.WorkflowRun) *historypb.History {
	t.Helper()
	history := &historypb.History{}
	events := client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

// runIDOf returns the run that a history is of: the last one that a reset made, if any did.
func runIDOf(history *historypb.History) (id string) {
	for _, e := range history.GetEvents() {
		if started := e.GetWorkflowExecutionStartedEventAttributes(); started != nil {
			id = started.GetOriginalExecutionRunId()
		}
		if failed := e.GetWorkflowTaskFailedEventAttributes(); failed.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW {
			id = failed.GetNewRunId()
		}
	}
	return id
}

// anonymise takes the names of machines and processes out of a history: identities, and sticky queues, which hold a host's
// name.
func anonymise(m protoreflect.Message) {
	if queue, ok := m.Interface().(*taskqueuepb.TaskQueue); ok && queue.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
		queue.Name = "sticky"
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Name() == "identity":
			m.Set(field, protoreflect.ValueOfString("worker"))
		case field.IsMap():
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				anonymise(value.List().Get(i).Message())
			}
		case field.Message() != nil:
			anonymise(value.Message())
		}
		return true
	})
}

// encode writes a history as the Web UI and the replayer read it. The encoder varies its white space on purpose, which
// indenting evens out.
func encode(t *testing.T, history *historypb.History) []byte {
	t.Helper()
	raw, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(history)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, raw, "", " "))
	out.WriteByte('\n')
	return out.Bytes()
}
