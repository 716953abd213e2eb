package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/client"
)

func TestPhasesOfSteps(t *testing.T) {
	t.Parallel()
	begun := time.Unix(0, 0)
	step := func(name client.StepName, phase client.Phase, from, to float64) client.Step {
		at := begun.Add(seconds(to))
		s := client.Step{Name: name, StartedAt: begun.Add(seconds(from)), FinishedAt: &at}
		if phase != "" {
			s.Phase = &phase
		}
		return s
	}
	log := "#5 [2/3] RUN npm ci\n#5 DONE 4.1s\n#6 exporting layers 1.5s\n#6 pushing layers 0.9s\n"
	phases, err := phasesOf([]client.Step{
		step("fetch", "", 0, 1), step("build", "solve", 1, 2), step("build", "solve", 3, 6), step("build", "push", 6, 7), step("release", "drain", 7, 9),
	}, []byte(log))
	require.NoError(t, err)
	require.Equal(t, []phase{
		{"fetch", time.Second}, {"solve", 2500 * time.Millisecond}, {"exporting", 1500 * time.Millisecond}, {"push", time.Second},
	}, phases)

	phases, err = phasesOf([]client.Step{step("build", "solve", 1, 2)}, nil)
	require.NoError(t, err)
	require.Equal(t, []phase{{"solve", time.Second}}, phases, "nothing was exported")
}
