package buildkit

import (
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// told is a sink that keeps the lines.
type told []string

func (t *told) Line(_, text string)           { *t = append(*t, text) }
func (t *told) Vertex(deployment.BuildVertex) {}
func (t *told) Progress(deployment.Progress)  {}

func TestOutputThatComesAfterItsStepHasEndedIsNotCut(t *testing.T) {
	t.Parallel()
	var lines told
	n := newNarrator(&lines, nil)
	step, begun := digest.FromString("step"), time.Now()
	prints := func(text string) *client.SolveStatus {
		return &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: step, Stream: 1, Data: []byte(text)}}}
	}
	n.take(&client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Name: "[1/1] RUN x", Started: &begun}}})
	n.take(prints("first\nsec"))
	n.take(&client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Name: "[1/1] RUN x", Started: &begun, Completed: &begun, Error: "exit code: 1"}}})
	n.take(prints("ond\nthird"))
	n.flush()
	require.Equal(t, told{"#1 [1/1] RUN x", "#1 first", "#1 ERROR: exit code: 1", "#1 second", "#1 third"}, lines)
	require.Equal(t, []string{"first", "second", "third"}, n.vertices[step].tail, "what a failure shows")
}
