package docker

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASearchForAnotherPortLeavesPORTAsMuchTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		searches, takes := 0, 500*time.Millisecond
		o := newOtherPort(func(ctx context.Context) string {
			searches++
			select {
			case <-time.After(takes):
			case <-ctx.Done():
			}
			return ""
		}, 4*time.Second)
		due := func() int {
			require.Empty(t, o.due(t.Context(), time.Now()))
			return searches
		}
		require.Equal(t, 0, due(), "PORT has its time first")
		<-time.After(3 * time.Second)
		require.Equal(t, 1, due())
		require.Equal(t, 1, due(), "PORT is tried as long as was searched")
		<-time.After(takes)
		takes = time.Hour
		begun := time.Now()
		require.Equal(t, 2, due())
		require.Equal(t, findTimeout, time.Since(begun), "a search that does not end is given up")
	})
}

func TestWhatAnAppMakesUpIsBounded(t *testing.T) {
	t.Parallel()
	row := "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
	found, err := parseListeners(strings.NewReader(strings.Repeat(row, 10*maxListeners)))
	require.NoError(t, err)
	require.Len(t, found, maxListeners)
}

// An engine that takes an order and says no more cannot be had from a real one at will.
func TestALookIntoAContainerEndsThoughTheEngineIsSilent(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/start"):
			<-over
		case strings.HasSuffix(r.URL.Path, "/exec"):
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"Id":"look"}`))
		}
	}))
	t.Cleanup(engine.Close)
	t.Cleanup(func() { close(over) })
	e, err := New(Options{Installation: "test", HostID: "host-1", Host: "tcp://" + engine.Listener.Addr().String()})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := e.listenersInside(ctx, "container")
		ended <- err
	}()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.DeadlineExceeded)
	case <-time.After(time.Minute):
		t.Fatal("it waits for the engine")
	}
}
