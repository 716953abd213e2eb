package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gateway"
)

func TestARefusedPreviewIsLookedUpAnew(t *testing.T) {
	t.Parallel()
	old, fresh := backend(t, nil), backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "new") })
	front, _, known := serve(t, func(o *gateway.Options) { o.CacheFor = time.Hour }, live(old))
	old.Close()
	response, _ := ask(t, front, previewHost)
	require.Equal(t, http.StatusBadGateway, response.StatusCode)
	known.set(live(fresh))
	_, body := ask(t, front, previewHost)
	require.Equal(t, "new", body)
}

func TestALiveRouteIsCachedUntilInvalidated(t *testing.T) {
	t.Parallel()
	first := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "first") })
	second := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "second") })
	front, g, known := serve(t, func(o *gateway.Options) { o.CacheFor = time.Hour }, live(first))
	for range 3 {
		_, body := ask(t, front, previewHost)
		require.Equal(t, "first", body)
	}
	require.Equal(t, 1, known.lookups())

	known.set(live(second))
	g.Invalidate("other.localhost")
	_, body := ask(t, front, previewHost)
	require.Equal(t, "first", body)
	g.Invalidate(strings.ToUpper(previewHost))
	_, body = ask(t, front, previewHost)
	require.Equal(t, "second", body)

	known.set(live(first))
	g.InvalidateAll()
	_, body = ask(t, front, previewHost)
	require.Equal(t, "first", body)
}

func TestOtherRoutesAreNotCached(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "live") })
	building := live(b)
	building.State, building.Status, building.Address = "", deployment.StatusBuilding, ""
	front, _, known := serve(t, func(o *gateway.Options) { o.CacheFor = time.Hour })
	response, _ := ask(t, front, previewHost)
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	known.set(building)
	response, _ = ask(t, front, previewHost)
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	known.set(live(b))
	_, body := ask(t, front, previewHost)
	require.Equal(t, "live", body)
}

func TestPreviewsStayUpWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, g, known := serve(t, func(o *gateway.Options) { o.CacheFor = time.Nanosecond }, live(b))
	_, body := ask(t, front, previewHost)
	require.Equal(t, "up", body)

	known.fail(errors.New("connect to database: secret address"))
	g.InvalidateAll() // what the listener does when it loses its connection
	for range 3 {
		_, body = ask(t, front, previewHost)
		require.Equal(t, "up", body)
	}
	require.Equal(t, 2, known.lookups(), "a store that is away is not asked for every request")

	response, body := ask(t, front, "9999abcd-preview.localhost")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "gateway.unavailable", problemOf(t, body)["code"])
	require.NotEmpty(t, response.Header.Get("Retry-After"))
	require.NotContains(t, body, "secret address")
}

func TestARouteThatEndedIsForgotten(t *testing.T) {
	t.Parallel()
	b := backend(t, func(http.ResponseWriter, *http.Request) {})
	stopped := live(b)
	stopped.State = deployment.PreviewStopped
	for _, ended := range []deployment.Route{stopped, {}} { // stopped, and not known any more
		front, _, known := serve(t, func(o *gateway.Options) { o.CacheFor = time.Nanosecond }, live(b))
		response, _ := ask(t, front, previewHost)
		require.Equal(t, http.StatusOK, response.StatusCode)
		known.replace(ended)
		response, _ = ask(t, front, previewHost)
		require.NotEqual(t, http.StatusOK, response.StatusCode)
		known.fail(errors.New("the store is away"))
		response, _ = ask(t, front, previewHost)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, "a route that had ended was used again")
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	front, g, known := serve(t, func(o *gateway.Options) { o.CacheFor = time.Hour }, live(b))
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL, strings.NewReader(fmt.Sprint("body ", i)))
			if err != nil {
				t.Error(err)
				return
			}
			r.Host = previewHost
			response, err := front.Client().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = response.Body.Close() }()
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != fmt.Sprint("body ", i) {
				t.Errorf("request %d: %q, %v", i, body, err)
			}
			if i%10 == 0 {
				g.Invalidate(previewHost)
			}
		})
	}
	group.Wait()
	require.Less(t, known.lookups(), 60, "requests at the same time share a look-up")
}

// slowRoutes answers a look-up when it is released, unless the look-up's context ends before.
type slowRoutes struct {
	asked, release chan struct{}
	route          deployment.Route
}

func (r slowRoutes) Route(ctx context.Context, _ string) (deployment.Route, error) {
	close(r.asked) // a second look-up would panic
	select {
	case <-r.release:
		return r.route, nil
	case <-ctx.Done():
		return deployment.Route{}, ctx.Err()
	}
}

func (r slowRoutes) Routes(context.Context) ([]deployment.Route, error) { return nil, nil }

func TestALookupOutlivesTheClientThatBeganIt(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	r := slowRoutes{asked: make(chan struct{}), release: make(chan struct{}), route: live(b)}
	front, g, _ := serve(t, func(o *gateway.Options) { o.Routes, o.CacheFor = r, time.Hour })
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-r.asked
		leave()
	}()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+previewHost+"/", nil)
	g.ServeHTTP(httptest.NewRecorder(), request) // returns because its client is gone, while the look-up goes on
	close(r.release)
	_, body := ask(t, front, previewHost)
	require.Equal(t, "up", body)
}

func TestEveryLiveRouteIsKnownBeforeItIsVisited(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, _, known, reviewed := following(t, live(b), at(b, "d-1", time.Second))
	reviewed()
	known.fail(errors.New("the store is away"))
	for _, host := range []string{previewHost, stableHost} {
		_, body := ask(t, front, host)
		require.Equal(t, "up", body)
	}
	known.fail(nil)
	stopped := live(b)
	stopped.State = deployment.PreviewStopped
	known.set(stopped)
	reviewed()
	known.fail(errors.New("the store is away"))
	response, _ := ask(t, front, previewHost)
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, "what is not live any more is forgotten")
}

// lookup is the time that a look-up has.
const lookup = 3 * time.Second

// stuckRoutes answers the first look-up alone.
type stuckRoutes struct {
	*routes
	first sync.Once
}

func (r *stuckRoutes) Route(ctx context.Context, host string) (route deployment.Route, err error) {
	err = errors.New("no answer")
	r.first.Do(func() { route, err = r.routes.Route(ctx, host) })
	if err != nil {
		<-ctx.Done()
	}
	return route, err
}

func TestNobodyWaitsLongForAStoreThatHangs(t *testing.T) {
	t.Parallel()
	b := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	front, _, _ := serve(t, func(o *gateway.Options) {
		known, _ := o.Routes.(*routes)
		o.Routes, o.CacheFor = &stuckRoutes{routes: known}, time.Nanosecond
	}, live(b))
	begun := time.Now()
	for range 5 {
		_, body := ask(t, front, previewHost)
		require.Equal(t, "up", body)
	}
	require.Less(t, time.Since(begun), lookup, "nobody has waited for one to end")
}
