package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

// book is a TrafficStore that hands on what it is given, and fails as often as it is told to.
type book struct {
	added chan []deployment.Traffic

	mu    sync.Mutex
	fails int
}

func newBook() *book { return &book{added: make(chan []deployment.Traffic, 100)} }

func (b *book) AddTraffic(_ context.Context, seen []deployment.Traffic) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails > 0 {
		b.fails--
		return errors.New("the store is away")
	}
	b.added <- seen
	return nil
}

func (b *book) fail(times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = times
}

// only returns what was written of the one environment that was visited.
func (b *book) only(t *testing.T) deployment.Traffic {
	t.Helper()
	select {
	case seen := <-b.added:
		require.Len(t, seen, 1)
		require.Equal(t, "e-1", seen[0].EnvironmentID)
		return seen[0]
	case <-time.After(time.Minute):
		require.Fail(t, "nothing is written")
		return deployment.Traffic{}
	}
}

// writing has a gateway write its traffic until stop is called, which waits for the rest.
func writing(t *testing.T, g *gateway.Gateway) (stop func()) {
	t.Helper()
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	written := make(chan struct{})
	go func() { defer close(written); g.WriteTraffic(ctx) }()
	stop = func() { end(); <-written }
	t.Cleanup(stop)
	return stop
}

func of(r deployment.Route, environmentID string) deployment.Route {
	r.EnvironmentID = environmentID
	return r
}

func TestTheFirstRequestIsWrittenAtOnceAndTheRestLater(t *testing.T) {
	t.Parallel()
	written := newBook()
	arrived, release := make(chan struct{}), make(chan struct{})
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/first":
			arrived <- struct{}{}
			<-release
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	front, g, _ := serve(t, func(o *gateway.Options) { o.Traffic, o.TrafficEvery = written, time.Hour }, of(at(b, "d-1", time.Second), "e-1"))
	stop := writing(t, g)
	before := time.Now()
	first := begin(t, front, "/first")
	<-arrived
	seen := written.only(t) // while the request is under way
	require.Zero(t, seen.Answered)
	require.WithinRange(t, seen.LastRequestAt, before, time.Now())
	close(release)
	require.Equal(t, http.StatusOK, (<-first).status)
	for _, path := range []string{"/", "/missing", "/broken"} {
		require.NoError(t, get(t, front, stableHost, path).Body.Close())
	}
	response, _ := ask(t, front, "nobody-preview.localhost")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Empty(t, written.added, "an environment that is in use is written every now and then only")
	front.Close() // its requests are over
	stop()
	last := written.only(t)
	require.Equal(t, [5]int64{0, 2, 0, 1, 1}, last.Answered)
	require.True(t, last.LastRequestAt.After(seen.LastRequestAt))
	require.Empty(t, written.added)
}

func TestAConnectionThatIsOpenIsTraffic(t *testing.T) {
	t.Parallel()
	written := newBook()
	front, g, _ := serve(t, func(o *gateway.Options) { o.Traffic, o.TrafficEvery = written, 10*time.Millisecond }, of(live(backend(t, echo(t, nil, nil))), "e-1"))
	writing(t, g)
	socket := dial(t, front, previewHost)
	requireEcho(t, socket)
	last := written.only(t).LastRequestAt
	for range 3 { // nobody says anything meanwhile
		seen := written.only(t)
		require.True(t, seen.LastRequestAt.After(last))
		last = seen.LastRequestAt
	}
	require.NoError(t, socket.CloseNow())
	for written.only(t).Answered[0] != 1 { // an upgrade is answered with 101
	}
}

func TestTrafficThatCannotBeWrittenIsKept(t *testing.T) {
	t.Parallel()
	written := newBook()
	written.fail(1_000_000)
	front, g, _ := serve(t, func(o *gateway.Options) { o.Traffic, o.TrafficEvery = written, time.Hour }, of(live(backend(t, app)), "e-1"))
	writing(t, g)
	for range 3 {
		response, _ := ask(t, front, previewHost)
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	front.Close()
	written.fail(0)
	require.EqualValues(t, 3, written.only(t).Answered[1], "it is written as soon as that can be done")
}
