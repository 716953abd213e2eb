package activities_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// meter writes down what it is told.
type meter struct {
	mu   sync.Mutex
	told []string
}

func (m *meter) tell(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, fmt.Sprintf(format, args...))
}

func (m *meter) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.told)
}

func (m *meter) QueueWaited(d time.Duration) { m.tell("waited %t", d >= 0 && d < soon) }

func (m *meter) StepEnded(step deployment.StepName, outcome deployment.StepStatus, class deployment.Class, took time.Duration) {
	m.tell("%s %s %s %t", step, outcome, class, took > 0 && took < soon)
}

func (m *meter) PhaseEnded(step deployment.StepName, phase deployment.Phase, took time.Duration) {
	m.tell("%s/%s %t", step, phase, took > 0 && took < soon)
}

func TestRecorder_MetersStepsAndPhases(t *testing.T) {
	t.Parallel()
	b, m := newBench(t), &meter{}
	b.recorder.Meter = m
	var built deployment.BuildOutcome
	b.build.Built = func(o deployment.BuildOutcome) { built = o }
	b.builder.figures = deployment.BuildFigures{Steps: 3, Cached: 1}
	d := b.deploy()
	require.NoError(t, b.run(d, b.wholeDeploy(d)))
	require.Equal(t, []string{
		"resolve succeeded  true", "fetch succeeded  true", "plan succeeded  true", "build/solve true", "build succeeded  true",
		"release/pull true", "release/start true", "release/probe true", "release/switch true", "release succeeded  true",
	}, slices.DeleteFunc(m.all(), func(s string) bool { return s == "waited true" }))
	require.Equal(t, 1, built.Cached)
	require.Equal(t, 3, built.Steps)
}

func TestRecorder_MetersFailuresByClass(t *testing.T) {
	t.Parallel()
	b, m := newBench(t), &meter{}
	b.recorder.Meter = m
	b.planner.on("plan", func(context.Context) error {
		return deployment.UserFailure("plan.none", "add a file", "nothing to build")
	})
	d := b.deploy()
	require.Error(t, b.run(d, b.wholeDeploy(d)))
	require.Contains(t, m.all(), "plan failed user true")
}
