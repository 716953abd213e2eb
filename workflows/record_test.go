package workflows_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/temporalproto"
	sdkclient "go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
	"github.com/slipway-dev/slipway/worker"
)

const histories = "testdata/histories"

var record = flag.Bool("record", false, "write the histories of all scenarios anew (testdata/histories/README.md says when)")

// TestScenarios takes every scenario through a real server. With -record it writes their histories, which it otherwise
// only makes, so that what is recorded is known to come to the end that its name says.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := devservertest.Client(t)
			run := s.run(t, client)
			history := historyOf(t, client, run)
			last := history.GetEvents()[len(history.GetEvents())-1].GetEventType()
			require.Equal(t, s.ends(), last)
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

// run takes a deploy through the scenario and returns when it has closed.
func (s scenario) run(t *testing.T, client sdkclient.Client) sdkclient.WorkflowRun {
	t.Helper()
	begun := make(chan struct{})
	answers := &standIns{}
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
	run, err := client.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{
		ID: temporal.DeployWorkflowID(deploymentID), TaskQueue: temporal.QueueControl,
	}, temporal.WorkflowDeploy, temporal.DeployInput{
		DeploymentID: deploymentID, Project: "app", Environment: "production", Limits: quickLimits(),
	})
	require.NoError(t, err)
	if s.cancels {
		<-begun
		require.NoError(t, client.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	}
	_ = run.Get(t.Context(), nil) // how it ended stands in the history
	return run
}

// quickLimits let a host count as gone after a second.
func quickLimits() temporal.Limits {
	limits := temporal.DefaultLimits()
	limits.ScheduleToStart, limits.Heartbeat = time.Second, 5*time.Second
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
