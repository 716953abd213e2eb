package e2e_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	buildkit "github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"
)

// watch looks, as often as it can, at what is there only while deploys are under way, until stop is called.
func (c *canaries) watch(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	temporal, builder := temporalClient(t), buildkitClient(t)
	var watching sync.WaitGroup
	every := func(often time.Duration, do func()) {
		watching.Go(func() {
			tick := time.NewTicker(often)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					do()
				}
			}
		})
	}
	every(100*time.Millisecond, c.readProcesses)
	every(100*time.Millisecond, func() { c.readPending(ctx, temporal) })
	every(100*time.Millisecond, func() { c.readRecords(ctx, builder, true) })
	every(time.Second, c.readMetrics)
	return func() { cancel(); watching.Wait() }
}

// readProcesses reads what ps shows to everybody, and to root. The environments of the build's own commands and of the app hold what is
// for them; they stand in for the control.
func (c *canaries) readProcesses() {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // of one that has ended meanwhile there is nothing
		before, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		environment, _ := os.ReadFile(filepath.Join(dir, "environ"))
		after, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		c.look("process arguments", string(line), line)
		switch {
		case bytes.Contains(environment, []byte("GATEWAY_INTERFACE=CGI")): // git of the test's own server, whose clients know the token
		case contained(before), contained(after): // runc's own process goes there, and becomes the command
			if strings.Contains(string(environment), "CANARY_") {
				c.controlled("process environments")
			}
		case err != nil: // it has ended, and may have got there before
		default:
			c.look("process environments", string(line), environment)
		}
	}
}

// contained tells by the cgroups of a process whether it is in a container of Docker or of BuildKit.
func contained(groups []byte) bool {
	return bytes.Contains(groups, []byte("/docker")) || bytes.Contains(groups, []byte("/buildkit/"))
}

// controlled notes that a place was seen to hold a secret where one belongs.
func (s *search) controlled(where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[where]; p != nil {
		p.control = true
	}
}

// readPending reads what stands in no history: the details of heartbeats and the last failures of activities that run, memos and search
// attributes.
func (c *canaries) readPending(ctx context.Context, temporal sdkclient.Client) {
	for _, id := range c.asked() {
		if description, err := temporal.DescribeWorkflowExecution(ctx, "deploy/"+id, ""); err == nil {
			c.lookAt("Temporal's histories", "what is pending", description)
		}
	}
}

// readRecords reads BuildKit's history: what is under way only, or all of it with the files that it names.
func (c *canaries) readRecords(ctx context.Context, builder *buildkit.Client, active bool) {
	events, err := builder.ControlClient().ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{ActiveOnly: active, EarlyExit: true})
	if err != nil {
		return
	}
	for {
		event, err := events.Recv()
		if err != nil {
			return
		}
		c.lookAt("BuildKit's history", "a record", event)
		if !active {
			c.readBlobs(ctx, builder, event.GetRecord())
		}
	}
}

func (c *canaries) readMetrics() {
	status, text, err := tryFetch("http://" + dev.ops + "/metrics")
	if err != nil || status != 200 {
		return
	}
	c.look("metrics", "/metrics", []byte(text))
	// Nothing of a single deploy is to be there; that its steps are counted shows that the page is the right one.
	if strings.Contains(text, `step="build"`) {
		c.controlled("metrics")
	}
}

// lookAt searches a message as it travels.
func (s *search) lookAt(where, part string, message proto.Message) {
	data, err := proto.Marshal(message)
	if err != nil {
		data = []byte(err.Error())
	}
	s.look(where, part, data)
}

func temporalClient(t *testing.T) sdkclient.Client {
	t.Helper()
	temporal, err := sdkclient.Dial(sdkclient.Options{HostPort: dev.temporal})
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	return temporal
}

func buildkitClient(t *testing.T) *buildkit.Client {
	t.Helper()
	builder, err := dev.builder(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = builder.Close() })
	return builder
}
