package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

// bell is a Waker that hands on who is to be woken, and answers with what it is given.
type bell struct {
	rung    chan string
	answers chan error // nil answers at once
}

func newBell() bell { return bell{rung: make(chan string, 1000)} }

func (b bell) RequestWake(_ context.Context, environmentID string) error {
	b.rung <- environmentID
	if b.answers != nil {
		return <-b.answers
	}
	return nil
}

// sleeping is the route of stableHost to a preview that was not used for a while.
func sleeping(b *httptest.Server) deployment.Route {
	r := of(at(b, "d-1", 0), "e-1")
	r.State, r.Address, r.Wanted = deployment.PreviewAsleep, "", deployment.WantedRunning
	return r
}

// awake is the same when it is live again.
func awake(b *httptest.Server) deployment.Route { return of(at(b, "d-1", 0), "e-1") }

// holding serves a gateway before a preview that is asleep. Nobody looks at its route unless the gateway is told of a change.
func holding(t *testing.T, route deployment.Route, change func(*gateway.Options)) (*httptest.Server, *gateway.Gateway, *routes, bell) {
	t.Helper()
	b := newBell()
	front, g, known := serve(t, func(o *gateway.Options) {
		o.Waking = gateway.Waking{Waker: b, Wait: time.Hour, Patience: time.Hour, Look: time.Hour}
		if change != nil {
			change(o)
		}
	}, route)
	return front, g, known, b
}

func TestARequestToAPreviewThatIsAsleepIsHeldUntilItIsAwake(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, g, known, waker := holding(t, sleeping(b), nil)
	answers := begin(t, front, "/")
	require.Equal(t, "e-1", <-waker.rung)
	starting := sleeping(b)
	starting.State = deployment.PreviewStarting
	known.set(starting)
	g.Invalidate(stableHost)
	known.set(awake(b))
	g.Invalidate(stableHost)
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-answers)
	require.Empty(t, waker.rung, "one word is enough")
}

func TestALostWordThatAPreviewIsAwakeIsNoLoss(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	starting := sleeping(b)
	starting.State = deployment.PreviewStarting
	front, _, known, waker := holding(t, starting, func(o *gateway.Options) { o.Waking.Look = time.Millisecond })
	answers := begin(t, front, "/")
	require.Eventually(t, func() bool { return known.lookups() > 3 }, time.Minute, time.Millisecond)
	require.Empty(t, waker.rung, "what is started already is not woken")
	known.set(awake(b))
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-answers)
}

func TestAStoreThatIsAwayIsAskedAgainToWake(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	var waker bell
	front, _, known, _ := holding(t, sleeping(b), func(o *gateway.Options) {
		waker = newBell()
		waker.answers = make(chan error)
		o.Waking.Waker, o.Waking.Look = waker, time.Millisecond
	})
	answers := begin(t, front, "/")
	<-waker.rung
	known.fail(errors.New("the store is away"))
	waker.answers <- errors.New("the store is away")
	<-waker.rung // the state is still the one that was seen last
	known.fail(nil)
	known.set(awake(b))
	waker.answers <- nil
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-answers)
}

// untouched is a body that must not be read before its preview is awake.
type untouched struct {
	io.Reader
	awake atomic.Bool
	early atomic.Bool
}

func (u *untouched) Read(p []byte) (int, error) {
	if !u.awake.Load() {
		u.early.Store(true)
	}
	return u.Reader.Read(p)
}

func TestTheBodyOfARequestThatIsHeldArrivesWhole(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	_, g, known, waker := holding(t, sleeping(b), nil)
	body := &untouched{Reader: strings.NewReader(strings.Repeat("x", 1<<20))}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+stableHost+"/", body)
	written, answered := httptest.NewRecorder(), make(chan struct{})
	go func() { defer close(answered); g.ServeHTTP(written, request) }()
	<-waker.rung
	known.set(awake(b))
	body.awake.Store(true)
	g.Invalidate(stableHost)
	<-answered
	require.False(t, body.early.Load())
	require.Equal(t, "1048576 <nil>", written.Body.String())
}

func TestAVisitorWhoLeavesIsNotHeldAndOthersAre(t *testing.T) {
	t.Parallel()
	counted := newCounter()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, g, known, waker := holding(t, sleeping(b), func(o *gateway.Options) { o.Counter, o.Traffic = counted, newBook() })
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, front.URL, nil)
	require.NoError(t, err)
	r.Host = stableHost
	go func() { _, _ = front.Client().Do(r) }() //nolint:bodyclose // there is none
	<-waker.rung
	<-counted.began
	answers := begin(t, front, "/")
	<-counted.began
	leave()
	require.Equal(t, 499, (<-counted.ended).Status)
	known.set(awake(b))
	g.Invalidate(stableHost)
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-answers)

	known.set(sleeping(b))
	g.Invalidate(stableHost)
	ctx, leave = context.WithCancel(t.Context())
	go func() { <-waker.rung; leave() }()
	g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+stableHost, nil))
	answers = begin(t, front, "/")
	<-waker.rung // nobody was left who waited for the first word
	known.set(awake(b))
	g.Invalidate(stableHost)
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-answers)
}

func TestSoManyRequestsAreHeldAndNoMore(t *testing.T) {
	t.Parallel()
	counted := newCounter()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, g, known, waker := holding(t, sleeping(b), func(o *gateway.Options) { o.Waking.Most, o.Counter = 2, counted })
	held := []<-chan begun{begin(t, front, "/"), begin(t, front, "/"), begin(t, front, "/")}
	<-waker.rung
	require.Equal(t, http.StatusServiceUnavailable, (<-counted.ended).Status)
	known.set(awake(b))
	g.Invalidate(stableHost)
	var refused int
	for _, answers := range held {
		if answer := <-answers; answer.status == http.StatusServiceUnavailable {
			refused++
			require.Equal(t, "preview.crowded", problemOf(t, answer.body)["code"])
		} else {
			require.Equal(t, begun{status: http.StatusOK, body: "up"}, answer)
		}
	}
	require.Equal(t, 1, refused)
}

func TestWhoWaitsForLongIsTold(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, g, known, waker := holding(t, sleeping(b), func(o *gateway.Options) { o.Waking.Patience = time.Millisecond })
	program := begin(t, front, "/")
	<-waker.rung
	response, body := ask(t, front, stableHost, "Accept", "text/html")
	requirePage(t, response, body, http.StatusServiceUnavailable, true)
	require.Contains(t, body, "Waking up")
	known.set(awake(b))
	g.Invalidate(stableHost)
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-program, "a program goes on waiting")
}

func TestWhoWaitsForLongIsToldWhatFor(t *testing.T) {
	t.Parallel()
	b := backend(t, func(http.ResponseWriter, *http.Request) { t.Error("it does not run") })
	starting := sleeping(b)
	starting.State = deployment.PreviewStarting
	troubled := starting
	troubled.Failure = deployment.UserFailure("x", "look", "it ends with code 1")
	for _, c := range []struct {
		route             deployment.Route
		code, title, says string
	}{
		{sleeping(b), "preview.waking", "Waking up", "This preview was asleep"},
		{starting, "preview.starting", "Starting", "This preview is being started"},
		{troubled, "preview.retrying", "Trying to start", "it ends with code 1"},
		{failing(sleeping(b), time.Now().Add(-time.Minute)), "preview.retrying", "Trying to start", "it ends with code 1"},
	} {
		front, _, _, _ := holding(t, c.route, func(o *gateway.Options) { o.Waking.Wait = time.Millisecond })
		response, body := ask(t, front, stableHost, "Accept", "text/html")
		requirePage(t, response, body, http.StatusServiceUnavailable, true)
		require.Contains(t, body, "<h1>"+c.title)
		require.Contains(t, body, c.says)
		require.Equal(t, c.code == "preview.waking", strings.Contains(body, "was asleep"), c.code)
		response, body = ask(t, front, stableHost)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		require.Equal(t, "1", response.Header.Get("Retry-After"))
		p := problemOf(t, body)
		require.Equal(t, c.code, p["code"])
		require.Contains(t, p["detail"], c.says)
	}
}

// failing is a route to a preview that did not come up, and is tried again later.
func failing(r deployment.Route, since time.Time) deployment.Route {
	r.State, r.Since, r.NextStartAt = deployment.PreviewFailed, since, new(time.Now().Add(time.Hour))
	r.Failure = deployment.UserFailure("release.app_exited", "look", "it ends with code 1")
	return r
}

func TestARequestHasWhatDidNotComeUpTriedAtOnce(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	tried := time.Now().Add(-time.Minute)
	front, g, known, waker := holding(t, failing(sleeping(b), tried), nil)
	answers := begin(t, front, "/")
	require.Equal(t, "e-1", <-waker.rung)
	starting := sleeping(b)
	starting.State = deployment.PreviewStarting
	known.set(starting)
	g.Invalidate(stableHost)
	known.set(awake(b))
	g.Invalidate(stableHost)
	require.Equal(t, begun{status: http.StatusOK, body: "up"}, <-answers)
}

// Who waits for a try that is in vain hears of it then, and not after all that come later.
func TestAVisitorIsToldThatATryWasInVain(t *testing.T) {
	t.Parallel()
	b := backend(t, func(http.ResponseWriter, *http.Request) { t.Error("it does not run") })
	tried := time.Now().Add(-time.Minute)
	for name, before := range map[string]deployment.Route{"asleep": sleeping(b), "tried before": failing(sleeping(b), tried)} {
		front, g, known, waker := holding(t, before, nil)
		answers := begin(t, front, "/")
		<-waker.rung
		known.set(failing(sleeping(b), time.Now()))
		g.Invalidate(stableHost)
		answer := <-answers
		require.Equal(t, http.StatusServiceUnavailable, answer.status, name)
		p := problemOf(t, answer.body)
		require.Equal(t, "gateway.start_failed", p["code"], name)
		require.Equal(t, "it ends with code 1", p["detail"], name)
	}
	front, _, _, _ := holding(t, failing(sleeping(b), tried), func(o *gateway.Options) { o.Waking.Waker = nil })
	response, body := ask(t, front, stableHost, "Accept", "text/html")
	requirePage(t, response, body, http.StatusServiceUnavailable, true)
	require.Contains(t, body, "could not be started")
	require.Contains(t, body, "It is tried again at ")
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, 3600, seconds, 600, "then, and not all the time")
}

func TestWhatIsToStayAsItIsIsNotWoken(t *testing.T) {
	t.Parallel()
	over := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	failure := deployment.UserFailure("preview.exited", "look at its log", "the app ended with code 3")
	for name, c := range map[string]struct {
		change func(*deployment.Route)
		code   string
		says   []string
	}{
		"stopped while asleep":   {func(r *deployment.Route) { r.Wanted = deployment.WantedStopped }, "gateway.stopped", []string{"Somebody stopped it"}},
		"stopped while starting": {func(r *deployment.Route) { r.State, r.Wanted = deployment.PreviewStarting, deployment.WantedStopped }, "gateway.stopped", nil},
		"expired while asleep":   {func(r *deployment.Route) { r.ExpiredAt = &over }, "gateway.expired", []string{"1 March 2026 at 12:30 UTC"}},
		"expired and stopped": {func(r *deployment.Route) {
			r.State, r.Wanted, r.ExpiredAt = deployment.PreviewStopped, deployment.WantedStopped, &over
		}, "gateway.expired", []string{"has expired"}},
		"not to be started": {func(r *deployment.Route) { r.State, r.Failure = deployment.PreviewStopped, failure }, "gateway.start_failed", []string{"could not be started", "the app ended with code 3", "look at its log"}},
		"failed, and to be stopped": {func(r *deployment.Route) {
			*r = failing(*r, time.Now())
			r.Wanted = deployment.WantedStopped
		}, "gateway.crashed", []string{"it ends with code 1"}},
		"failed, and expired": {func(r *deployment.Route) {
			*r = failing(*r, time.Now())
			r.ExpiredAt = &over
		}, "gateway.crashed", nil},
		"crashed":  {func(r *deployment.Route) { r.State, r.Failure = deployment.PreviewFailed, failure }, "gateway.crashed", []string{"the app ended with code 3"}},
		"replaced": {func(r *deployment.Route) { r.ReplacedBy = 9 }, "gateway.replaced", nil},
	} {
		route := sleeping(backend(t, nil))
		c.change(&route)
		front, _, _, waker := holding(t, route, nil)
		response, body := ask(t, front, stableHost, "Accept", "text/html")
		requirePage(t, response, body, response.StatusCode, false)
		for _, text := range c.says {
			require.Contains(t, body, text, name)
		}
		if c.code == "gateway.stopped" || c.code == "gateway.expired" {
			require.Contains(t, body, "slipway previews start shop#7", name)
		}
		_, body = ask(t, front, stableHost)
		require.Equal(t, c.code, problemOf(t, body)["code"], name)
		require.Empty(t, waker.rung, name)
	}
}

// A preview falls asleep between the look at its route and the connection to its container.
func TestARequestThatMeetsAClosedPortIsHeldIfItsPreviewFellAsleep(t *testing.T) {
	t.Parallel()
	old := backend(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	fresh := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	front, g, known, waker := holding(t, awake(old), func(o *gateway.Options) { o.CacheFor = time.Hour })
	response, _ := ask(t, front, stableHost)
	require.Equal(t, http.StatusOK, response.StatusCode)
	old.Close()
	known.set(sleeping(old))
	go func() {
		<-waker.rung
		known.set(awake(fresh))
		g.Invalidate(stableHost)
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))))
	require.NoError(t, err)
	r.Host = stableHost
	_, body := send(t, front, r)
	require.Equal(t, "1048576 <nil>", body)

	fresh.Close()
	stopped := sleeping(fresh)
	stopped.State = deployment.PreviewStopped
	known.set(stopped)
	_, body = ask(t, front, stableHost)
	require.Equal(t, "gateway.stopped", problemOf(t, body)["code"])
}

func TestWhatIsUnderWayWhenAPreviewFallsAsleepIsNotCutOff(t *testing.T) {
	t.Parallel()
	b := backend(t, echo(t, nil, nil))
	front, _, known, reviewed := following(t, awake(b))
	socket := dial(t, front, stableHost)
	for _, state := range []deployment.PreviewState{deployment.PreviewAsleep, deployment.PreviewStarting} {
		route := sleeping(b)
		route.State = state
		known.set(route)
		reviewed()
		requireEcho(t, socket)
	}
}
