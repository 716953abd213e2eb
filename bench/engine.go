package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkclient "go.temporal.io/sdk/client"
)

// engine collects what deploys cost beside their activities.
type engine struct{ costs []cost }

// cost is that of one workflow.
type cost struct {
	as     string // the case
	idle   time.Duration
	gaps   map[string]time.Duration // of it, before an activity of that name, or before the end
	events int64
	bytes  int64
}

// add waits for the end of a workflow and adds what its history tells.
func (e *engine) add(ctx context.Context, flows sdkclient.Client, as, workflow string) error {
	if err := flows.GetWorkflow(ctx, workflow, "").Get(ctx, nil); err != nil {
		return fmt.Errorf("workflow %s: %w", workflow, err)
	}
	described, err := flows.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return err
	}
	info := described.GetWorkflowExecutionInfo()
	var events []*historypb.HistoryEvent
	history := flows.GetWorkflowHistory(ctx, workflow, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			return err
		}
		events = append(events, event)
	}
	c := idleIn(events)
	c.as, c.events, c.bytes = as, info.GetHistoryLength(), info.GetHistorySizeBytes()
	e.costs = append(e.costs, c)
	return nil
}

// span is when an activity ran, from the moment that a worker took it up.
type span struct {
	name     string
	from, to time.Time
}

// idleIn adds up the time of a workflow in which none of its activities ran.
func idleIn(events []*historypb.HistoryEvent) (c cost) {
	c.gaps = map[string]time.Duration{}
	if len(events) == 0 {
		return c
	}
	spans := spansOf(events)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from.UnixNano(), b.from.UnixNano()) })
	until := events[0].GetEventTime().AsTime()
	for _, s := range append(spans, span{name: "the end", from: events[len(events)-1].GetEventTime().AsTime()}) {
		if gap := s.from.Sub(until); gap > 0 {
			c.idle += gap
			c.gaps[s.name] += gap
		}
		if s.to.After(until) {
			until = s.to
		}
	}
	return c
}

// spansOf finds the activities. The server writes down when one was taken up with its end, so each start has one.
func spansOf(events []*historypb.HistoryEvent) []span {
	names, begun := map[int64]string{}, map[int64]time.Time{}
	var spans []span
	for _, e := range events {
		at := e.GetEventTime().AsTime()
		if scheduled := e.GetActivityTaskScheduledEventAttributes(); scheduled != nil {
			names[e.GetEventId()] = scheduled.GetActivityType().GetName()
		}
		if started := e.GetActivityTaskStartedEventAttributes(); started != nil {
			begun[started.GetScheduledEventId()] = at
		}
		if id := endOf(e); id != 0 && !begun[id].IsZero() {
			spans = append(spans, span{names[id], begun[id], at})
		}
	}
	return spans
}

// endOf returns which activity an event ends, by the event that scheduled it.
func endOf(e *historypb.HistoryEvent) int64 {
	return cmp.Or(e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId(), e.GetActivityTaskFailedEventAttributes().GetScheduledEventId(),
		e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId(), e.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId())
}
