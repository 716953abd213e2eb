package codec

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// Uses tells seen of every encrypted payload that a namespace keeps: in the histories, memos and pending activities of all
// workflows, and in schedules. seen returns false when it knows enough. It reads everything there is, which takes about a
// millisecond a workflow.
func Uses(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace string, seen func(sealed []byte) bool) error {
	u := &uses{service: service, namespace: namespace, seen: seen}
	if err := u.schedules(ctx); err != nil {
		return fmt.Errorf("read schedules: %w", err)
	}
	if err := u.workflows(ctx); err != nil {
		return fmt.Errorf("read histories: %w", err)
	}
	return nil
}

type uses struct {
	service   workflowservice.WorkflowServiceClient
	namespace string
	seen      func([]byte) bool
	enough    bool
}

// look visits the payloads of one message, those of failures and memos included.
func (u *uses) look(ctx context.Context, message proto.Message) error {
	return proxy.VisitPayloads(ctx, message, proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			for _, p := range payloads {
				if string(p.GetMetadata()[converter.MetadataEncoding]) == encoding && !u.seen(p.GetData()) {
					u.enough = true
				}
			}
			return payloads, nil
		},
		SkipSearchAttributes: true, // never encrypted
	})
}

func (u *uses) schedules(ctx context.Context) error {
	request := &workflowservice.ListSchedulesRequest{Namespace: u.namespace, MaximumPageSize: 100}
	for {
		page, err := u.service.ListSchedules(ctx, request)
		if err != nil {
			return err
		}
		for _, s := range page.GetSchedules() {
			found, err := u.service.DescribeSchedule(ctx, &workflowservice.DescribeScheduleRequest{Namespace: u.namespace, ScheduleId: s.GetScheduleId()})
			if err == nil {
				err = u.look(ctx, found)
			}
			if err != nil || u.enough {
				return err
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

func (u *uses) workflows(ctx context.Context) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: u.namespace, PageSize: 500}
	for !u.enough {
		page, err := u.service.ListWorkflowExecutions(ctx, request)
		if err != nil {
			return err
		}
		for _, execution := range page.GetExecutions() {
			if err := u.workflow(ctx, execution); err != nil || u.enough {
				return err
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return nil
		}
	}
	return nil
}

// workflow looks at an execution as it is listed, at what is pending while it is open, and at its history.
func (u *uses) workflow(ctx context.Context, listed *workflowpb.WorkflowExecutionInfo) error {
	if err := u.look(ctx, listed); err != nil {
		return err
	}
	if listed.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		now, err := u.service.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: u.namespace, Execution: listed.GetExecution()})
		if err == nil {
			err = u.look(ctx, now)
		}
		if err != nil {
			return ignoreGone(err)
		}
	}
	request := &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: u.namespace, Execution: listed.GetExecution()}
	for !u.enough {
		page, err := u.service.GetWorkflowExecutionHistory(ctx, request)
		if err == nil {
			err = u.look(ctx, page)
		}
		if request.NextPageToken = page.GetNextPageToken(); err != nil || len(request.NextPageToken) == 0 {
			return ignoreGone(err)
		}
	}
	return nil
}

// ignoreGone takes a workflow that was listed and is there no more for one that keeps nothing.
func ignoreGone(err error) error {
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return nil
	}
	return err
}
