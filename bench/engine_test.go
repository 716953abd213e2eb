package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// story makes a history. Times are milliseconds from its begin.
type story []*historypb.HistoryEvent

func (s *story) add(at int64, e *historypb.HistoryEvent) (id int64) {
	e.EventId, e.EventTime = int64(len(*s)+1), timestamppb.New(time.UnixMilli(at))
	*s = append(*s, e)
	return e.EventId
}

func (s *story) scheduled(at int64, name string) (id int64) {
	return s.add(at, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: name}},
	}})
}

func (s *story) started(at, id int64) {
	s.add(at, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
		ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{ScheduledEventId: id},
	}})
}

func (s *story) completed(at, id int64) {
	s.add(at, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: id},
	}})
}

func (s *story) failed(at, id int64) {
	s.add(at, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
		ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: id},
	}})
}

func TestIdleIsWhatNoActivityCovers(t *testing.T) {
	t.Parallel()
	var s story
	s.add(0, &historypb.HistoryEvent{})
	resolve := s.scheduled(10, "Resolve")
	s.started(30, resolve)
	s.completed(100, resolve)
	fetch := s.scheduled(105, "Fetch")
	s.started(150, fetch)
	vacate := s.scheduled(160, "Vacate")
	s.started(170, vacate)
	s.completed(180, vacate) // within the other one
	s.failed(400, fetch)
	s.add(425, &historypb.HistoryEvent{})
	c := idleIn(s)
	require.Equal(t, 105*time.Millisecond, c.idle)
	require.Equal(t, map[string]time.Duration{"Resolve": 30 * time.Millisecond, "Fetch": 50 * time.Millisecond, "the end": 25 * time.Millisecond}, c.gaps)
}

func TestEngineTableKeepsCrowdedDeploysApart(t *testing.T) {
	t.Parallel()
	costs := []cost{
		{as: caseCold, idle: 100 * time.Millisecond, events: 40, bytes: 9000, gaps: map[string]time.Duration{"Fetch": 60 * time.Millisecond, "the end": 40 * time.Millisecond}},
		{as: caseCold, idle: 200 * time.Millisecond, events: 42, bytes: 9200, gaps: map[string]time.Duration{"Fetch": 160 * time.Millisecond, "the end": 40 * time.Millisecond}},
		{as: caseFour, idle: 9 * time.Second, events: 40, bytes: 9000, gaps: map[string]time.Duration{"Fetch": 9 * time.Second}},
	}
	require.Equal(t, `| | deploys | in no activity, p50 | p95 | history events | history bytes |
|---|---:|---:|---:|---:|---:|
| cold | 2 | 150.0 ms | 195.0 ms | 41 | 9100 |
| four | 1 | 9000.0 ms | 9000.0 ms | 40 | 9000 |

Of a deploy alone, the median of what passes before each activity: Fetch 110.0 ms, the end 40.0 ms.

Goal, p95 of a deploy alone ≤ 300.0 ms: 195.0 ms. It is met.
`, engineTable(costs))
	require.Equal(t, []float64{0.1, 0.2}, idleAlone(costs))
}
