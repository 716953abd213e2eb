package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// pollInterval is the pause between two attempts at a step of Prepare.
const pollInterval = 50 * time.Millisecond

// Spec is what a namespace should be.
type Spec struct {
	Name             string
	Retention        time.Duration // of closed workflows; the server wants an hour at least
	SearchAttributes []string      // Keyword attributes that must be there; others are left alone
}

// Prepare registers the namespace, corrects its retention, adds the search attributes that it lacks, and returns when all
// of it can be used. It changes nothing that is right already. A server that does not answer yet is asked again until ctx
// ends; the error then is the last answer.
func Prepare(ctx context.Context, c sdkclient.Client, s Spec) error {
	if err := poll(ctx, func() error { return s.ensureRegistered(ctx, c) }); err != nil {
		return fmt.Errorf("register namespace %q: %w", s.Name, err)
	}
	if err := poll(ctx, func() error { return s.ensureAttributes(ctx, c) }); err != nil {
		return fmt.Errorf("add search attributes to namespace %q: %w", s.Name, err)
	}
	if err := poll(ctx, func() error { return s.use(ctx, c) }); err != nil {
		return fmt.Errorf("list workflows of namespace %q: %w", s.Name, err)
	}
	return nil
}

// ensureRegistered registers the namespace or corrects its retention.
func (s Spec) ensureRegistered(ctx context.Context, c sdkclient.Client) error {
	svc := c.WorkflowService()
	retention := durationpb.New(s.Retention)
	found, err := svc.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.Name})
	if missing := (*serviceerror.NamespaceNotFound)(nil); errors.As(err, &missing) {
		_, err = svc.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: s.Name, WorkflowExecutionRetentionPeriod: retention,
		})
		return err
	}
	if err != nil {
		return err
	}
	if found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == s.Retention {
		return nil
	}
	_, err = svc.UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: s.Name,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: retention},
	})
	return err
}

// ensureAttributes adds the search attributes that the namespace lacks.
func (s Spec) ensureAttributes(ctx context.Context, c sdkclient.Client) error {
	op := c.OperatorService()
	have, err := op.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: s.Name})
	if err != nil {
		return err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, name := range s.SearchAttributes {
		if _, ok := have.GetCustomAttributes()[name]; !ok {
			missing[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = op.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: s.Name, SearchAttributes: missing,
	})
	return err
}

// use asks for workflows by every attribute, which succeeds once the server's caches know them all.
func (s Spec) use(ctx context.Context, c sdkclient.Client) error {
	clauses := make([]string, len(s.SearchAttributes))
	for i, name := range s.SearchAttributes {
		clauses[i] = fmt.Sprintf("`%s` = 'ready'", name)
	}
	_, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.Name, Query: strings.Join(clauses, " AND "), PageSize: 1,
	})
	return err
}

// poll calls f until it succeeds, is refused for good, or ctx ends; it returns f's last error.
func poll(ctx context.Context, f func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := f()
		if err == nil || refused(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// refused reports answers that no second attempt changes.
func refused(err error) bool {
	denied := (*serviceerror.PermissionDenied)(nil)
	return errors.As(err, &denied)
}
