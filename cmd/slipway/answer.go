package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/api/client"
)

// maxProblem bounds what is read of a problem document.
const maxProblem = 1 << 20

// ask turns what a call of the client gives into the answer's object. It takes the call's results as they are:
// ask[client.Project](api.GetProjectWithResponse(ctx, "shop")).
func ask[T any, R interface{ GetBody() []byte }](answer R, err error) (*T, error) {
	value := new(T)
	if err == nil {
		err = json.Unmarshal(answer.GetBody(), value)
	}
	var malformed *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &malformed) || errors.As(err, &mistyped) {
		return nil, &shownError{message: fmt.Sprintf("the answer is not one of slipway's API: %v", err), fix: fixURL}
	}
	if err != nil {
		return nil, err
	}
	return value, nil
}

const fixURL = "check SLIPWAY_API_URL or the URL given to `slipway login`"

// caller sends the generated client's requests. It lets only the API's own answers to what was asked through; a problem
// document is an error.
type caller struct{ inner *http.Client }

// Do sends a request. The errors are ones to show.
func (c caller) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.inner.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		err = problemError(resp)
	case resp.StatusCode != http.StatusNoContent && !slices.Contains([]string{"application/json", "text/plain", "text/event-stream"}, kind):
		err = notSlipway(resp)
	default:
		return resp, nil
	}
	return nil, errors.Join(err, resp.Body.Close())
}

// problemError turns a problem document into an error to show.
func problemError(resp *http.Response) error {
	var problem client.Problem
	if json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(&problem) != nil || problem.Detail == "" {
		return notSlipway(resp)
	}
	f := &shownError{message: problem.Detail, field: text(problem.Field), fix: text(problem.Fix)}
	for i, other := range problem.Errors {
		if i > 0 { // the first is the problem itself
			f.also = append(f.also, &shownError{message: other.Field + ": " + other.Detail, field: other.Field, fix: text(other.Fix)})
		}
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		f.fix = "run `slipway login`, or set SLIPWAY_TOKEN"
	case resp.StatusCode == http.StatusNotFound && f.field == "project" && f.fix == "":
		f.fix = "`slipway projects list` shows their names"
	case resp.StatusCode >= 500 && problem.RequestID != "":
		f.hints = []string{"request: " + problem.RequestID}
	}
	return &apiError{shownError: f, status: resp.StatusCode, retryAfter: retryAfter(resp)}
}

// apiError is an error that the API answered with.
type apiError struct {
	*shownError
	status     int
	retryAfter time.Duration // when to ask again; 0 when the answer did not say
}

// Unwrap returns the error to show.
func (f *apiError) Unwrap() error { return f.shownError }

// refused reports whether err is the API's final word: asking again would get the same answer.
func refused(err error) bool {
	var answered *apiError
	return errors.As(err, &answered) && answered.status < 500 &&
		answered.status != http.StatusRequestTimeout && answered.status != http.StatusTooManyRequests
}

// notSlipway is an answer that slipway's API does not give, such as a proxy's.
func notSlipway(resp *http.Response) error {
	base := resp.Request.URL.Scheme + "://" + resp.Request.URL.Host
	return &apiError{status: http.StatusBadGateway, shownError: &shownError{
		message: fmt.Sprintf("what answers at %s is not slipway's API, or a proxy answers in its place (%s, %s)",
			base, resp.Status, orDash(resp.Header.Get("Content-Type"))),
		fix: fixURL,
	}}
}

// unreachable is a request that got no answer.
func unreachable(err error) error {
	var failed *url.Error
	if errors.Is(err, context.Canceled) || !errors.As(err, &failed) {
		return err
	}
	base := failed.URL
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		base = u.Scheme + "://" + u.Host
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &shownError{
			message: fmt.Sprintf("nothing answers at %s: connection refused", base),
			fix:     "start slipway there (`make up` on this machine), or name another API with `slipway login` or SLIPWAY_API_URL",
		}
	}
	return &shownError{
		message: fmt.Sprintf("reach the API at %s: %v", base, failed.Err),
		fix:     fixURL + ", and the network",
	}
}
