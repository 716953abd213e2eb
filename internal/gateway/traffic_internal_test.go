package gateway

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// notes is a TrafficStore that notes when it was given something, in seconds since it was made.
type notes struct {
	begun time.Time
	all   []note
}

type note struct {
	at          int
	environment string
	last        int
	answered    int64 // with success
}

func (n *notes) AddTraffic(_ context.Context, seen []deployment.Traffic) error {
	seconds := func(at time.Time) int { return int(at.Sub(n.begun).Seconds()) }
	for _, s := range seen {
		n.all = append(n.all, note{seconds(time.Now()), s.EnvironmentID, seconds(s.LastRequestAt), s.Answered[1]})
	}
	return nil
}

func TestTraffic_IsWrittenAtOnceAfterAQuietTimeAndElseInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		written := &notes{begun: time.Now()}
		traffic := newTraffic(written, 10*time.Second)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); traffic.write(ctx, slog.New(slog.DiscardHandler)) }()
		visit := func(environment string, second int) {
			<-time.After(time.Until(written.begun.Add(time.Duration(second) * time.Second))) // the bubble's
			ended := traffic.began(environment)
			synctest.Wait()
			ended(200)
		}
		visit("a", 1)
		visit("a", 2)
		visit("b", 3)
		visit("a", 12)  // ten seconds after what is written
		visit("a", 23)  // eleven
		visit("b", 105) // it was forgotten meanwhile
		require.Len(t, traffic.all, 1)
		stop()
		<-done
		require.ElementsMatch(t, []note{
			{1, "a", 1, 0},
			{3, "b", 3, 0},
			{10, "a", 2, 2},
			{10, "b", 3, 1},
			{20, "a", 12, 1},
			{23, "a", 23, 0},
			{30, "a", 23, 1},
			{105, "b", 105, 0},
			{105, "b", 105, 1},
		}, written.all)
	})
}
