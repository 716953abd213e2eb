package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
	"github.com/slipway-dev/slipway/internal/postgres"
)

// written is a deployment with a real log of 1,000 lines that has room for 200.
func written(t *testing.T) (w *world, d deployment.Deployment, write func(from, to int)) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	w = newWorld(t, func(o *api.Options) {
		reader := logs.NewReader(o.Store.(*postgres.Store).Pool(), quiet)
		t.Cleanup(reader.Close)
		o.Logs = reader
	})
	w.project("shop")
	d, err := w.store.Deployment(t.Context(), w.deploy("shop", `{}`).ID)
	require.NoError(t, err)
	writer := logs.NewWriterWith(w.store.Pool(), quiet, logs.Options{MaxBytes: 200 * 200})
	t.Cleanup(func() { _ = writer.Close(t.Context()) })
	write = func(from, to int) {
		for n := from; n <= to; n++ {
			writer.Append(d.ID, deployment.LogLine{Step: deployment.StepBuild, Attempt: 1, Stream: deployment.StreamStdout, Text: fmt.Sprintf("%100d", n)})
		}
		require.NoError(t, writer.Flush(t.Context(), d.ID))
	}
	return w, d, write
}

func TestLogs_ACutIsMarked(t *testing.T) {
	t.Parallel()
	w, d, write := written(t)
	write(1, 1000)
	var page oapi.LogPage
	w.call("GET", "/v1/deployments/"+d.ID+"/logs?limit=1000", "").into(&page)
	cut := page.Items[100].Cut
	require.NotNil(t, cut)
	require.Equal(t, oapi.LogCut{From: 101, To: page.Items[100].Seq, Lines: cut.To - 100, Bytes: (cut.To - 100) * 100}, *cut)
	require.Equal(t, "slipway", page.Items[100].Stream)
	require.Equal(t, cut.To+1, page.Items[101].Seq)
	require.EqualValues(t, 1000, page.NextAfter)

	raw := w.call("GET", "/v1/deployments/"+d.ID+"/logs?limit=1", "").body
	require.NotContains(t, string(raw), "cut", "other lines do not speak of it")
}

func TestFollow_OverACut(t *testing.T) {
	t.Parallel()
	w, d, write := written(t)
	write(1, 150)
	s := w.follow(d.ID, "")
	for n := 1; n <= 150; n++ {
		require.Equal(t, strconv.Itoa(n), s.await("log").id)
	}
	s.cancel() // it has seen lines that go meanwhile
	write(151, 1000)
	w.finish(d.ID, deployment.StatusCanceled, nil)

	s = w.follow(d.ID, "", header{"Last-Event-ID", "150"})
	first := s.await("log")
	var mark oapi.LogLine
	require.NoError(t, json.Unmarshal([]byte(first.data), &mark))
	require.NotNil(t, mark.Cut, "what it has missed is marked")
	require.EqualValues(t, 101, mark.Cut.From)
	require.Equal(t, strconv.FormatInt(mark.Cut.To, 10), first.id, "so that it is not told twice")
	ids, end := s.rest()
	require.Equal(t, strconv.FormatInt(mark.Cut.To+1, 10), ids[0])
	require.Equal(t, "1000", ids[len(ids)-1])
	require.Len(t, ids, int(1000-mark.Cut.To))
	require.Equal(t, "end", end.name)

	ids, _ = w.follow(d.ID, "", header{"Last-Event-ID", ids[0]}).rest()
	require.Len(t, ids, int(1000-mark.Cut.To-1), "who is past it misses nothing")
}
