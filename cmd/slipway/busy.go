package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// defaultWaitBusy is longer than a restart of Postgres or Temporal takes.
const defaultWaitBusy = 2 * time.Minute

func (c *cli) waitBusyFlag(root *cobra.Command) {
	root.PersistentFlags().DurationVar(&c.waitBusy, "wait-busy", defaultWaitBusy,
		"how `long` to try again while the API answers that it is busy, or that what it needs is away; 0: not at all")
}

// patient sends a request again while the API answers that it is busy (429) or that a component is away (503) and when to ask
// again. Every request of this program may be sent twice: what makes a deployment carries a key, and what was done already is
// done or refused as such.
type patient struct {
	caller
	bound time.Duration // how long one request is sent again; 0: not at all
	tell  func(string)
}

// Do sends a request until the API serves or refuses it.
func (p patient) Do(req *http.Request) (*http.Response, error) {
	var waited time.Duration
	var told string
	var outage bool
	for {
		resp, err := p.caller.Do(req)
		b := busyAnswer(err)
		switch {
		case b == nil:
			return resp, perhapsDone(err, outage)
		case p.bound <= 0 || req.Context().Value(impatientKey{}) != nil:
			return nil, err
		case waited+b.retryAfter > p.bound:
			b.hints = append(b.hints, fmt.Sprintf("it was not tried again for longer than --wait-busy, %s", p.bound))
			return nil, err
		}
		if line := waitingLine(b); line != told {
			told = line
			p.tell(line)
		}
		outage = outage || b.status == http.StatusServiceUnavailable
		if err := p.wait(req.Context(), b); err != nil {
			return nil, err
		}
		waited += b.retryAfter
		if req, err = again(req); err != nil {
			return nil, err
		}
	}
}

func (p patient) wait(ctx context.Context, b *apiError) error {
	err := sleep(ctx, b.retryAfter)
	if errors.Is(err, context.Canceled) && b.status == http.StatusTooManyRequests {
		return &shownError{message: "interrupted: the API was busy and has not taken the request", calm: true, exit: exitInterrupted}
	}
	return err
}

// busyAnswer returns the answer that says when to ask again; nil for every other.
func busyAnswer(err error) *apiError {
	answered, ok := errors.AsType[*apiError](err)
	if !ok || answered.retryAfter == 0 || answered.status != http.StatusTooManyRequests && answered.status != http.StatusServiceUnavailable {
		return nil
	}
	return answered
}

// retryAfter reads when to ask again, in whole seconds as slipway and most proxies say it; 0 when the answer does not say.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(max(seconds, 1)) * time.Second
}

// waitingLine says what is waited for.
func waitingLine(b *apiError) string {
	subject := "the API is busy"
	if b.status == http.StatusServiceUnavailable {
		subject = "the API cannot serve this yet"
	}
	return fmt.Sprintf("%s: %s; trying again in %d s", subject, clean(b.message), int(b.retryAfter.Seconds()))
}

// perhapsDone explains a conflict with what the same request may have done before an outage took its answer.
func perhapsDone(err error, outage bool) error {
	if answered, ok := errors.AsType[*apiError](err); ok && outage && answered.status == http.StatusConflict {
		answered.hints = append(answered.hints, "the request was sent before, during an outage: it may have been done then")
	}
	return err
}

// again returns a request with its body to be sent once more.
func again(req *http.Request) (*http.Request, error) {
	next := req.Clone(req.Context())
	if req.GetBody == nil {
		return next, nil
	}
	body, err := req.GetBody()
	next.Body = body
	return next, err
}

type impatientKey struct{}

// impatient is for requests whose caller has a pace of its own.
func impatient(ctx context.Context) context.Context {
	return context.WithValue(ctx, impatientKey{}, true)
}
