package main

import (
	"context"

	"github.com/slipway-dev/slipway/api/client"
)

// look asks for the deployment and its lines without a stream, for when the stream alone does not get through. It returns the
// deployment's status if it has ended and everything was read, and whether the API answered.
func (s *stream) look(ctx context.Context) (end client.DeploymentStatus, reached bool, err error) {
	d, err := ask[client.Deployment](s.api.GetDeploymentWithResponse(ctx, s.id))
	if refused(err) || ctx.Err() != nil {
		return "", false, err
	}
	if err != nil {
		return "", false, nil //nolint:nilerr // the next connection says it
	}
	s.sink.status(client.StatusEvent{Status: d.Status, Step: d.Step})
	ended, err := s.pages(ctx)
	if refused(err) || ctx.Err() != nil {
		return "", true, err
	}
	if err == nil && ended && over(d.Status) && !(s.app && live(*d)) {
		return d.Status, true, nil
	}
	return "", true, nil
}

// pages reads the lines there are and reports whether the deployment has ended and no more will come.
func (s *stream) pages(ctx context.Context) (ended bool, err error) {
	for {
		page, err := s.page(ctx)
		if err != nil {
			return false, err
		}
		for _, line := range page.Items {
			s.give(line)
		}
		if page.Ended || len(page.Items) == 0 {
			return page.Ended, nil
		}
	}
}

func (s *stream) page(ctx context.Context) (*client.LogPage, error) {
	if s.app {
		return ask[client.LogPage](s.api.GetPreviewLogsWithResponse(ctx, s.id, &client.GetPreviewLogsParams{After: &s.last, Limit: new(maxLines)}))
	}
	return ask[client.LogPage](s.api.GetLogsWithResponse(ctx, s.id, &client.GetLogsParams{After: &s.last, Limit: new(maxLines)}))
}

// final returns the deployment after its end. The stream may have ended because the API restarts, so that one failure counts
// little.
func (s *stream) final(ctx context.Context) (*client.Deployment, error) {
	ctx = impatient(ctx)
	for wait := s.pace.first; ; wait *= 2 {
		d, err := ask[client.Deployment](s.api.GetDeploymentWithResponse(ctx, s.id))
		if err == nil || refused(err) || wait > s.pace.max {
			return d, err
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}
