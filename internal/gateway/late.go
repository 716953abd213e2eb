package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// late is the way to apps. A preview may fall asleep, or be replaced, between the look at its route and the connection to it: nothing
// of the request has been sent then, and it goes to what is live once that is awake.
type late struct {
	g  *Gateway
	to http.RoundTripper
}

// insteadError ends a request to an app with an answer of the gateway's own.
type insteadError struct{ *answer }

func (e *insteadError) Error() string { return e.title }

func (t late) RoundTrip(r *http.Request) (*http.Response, error) {
	first := *r
	if r.Body != nil && r.Body != http.NoBody {
		first.Body = io.NopCloser(r.Body) // it is sent later if not now; ReverseProxy closes it in the end
	}
	response, err := t.to.RoundTrip(&first)
	if !undialed(err) {
		return response, err
	}
	v := visitOf(r.Context())
	t.g.flights.remove(v.flight) // it is under way to nobody: what becomes of the preview that it missed does not end it
	t.g.routes.invalidate(v.hostname)
	route, lookErr := t.g.route(r.Context(), v.hostname)
	if lookErr != nil || isLive(route) && route.Address == v.route.Address {
		return nil, err
	}
	v.route = route
	if t.g.wakes.canWake(route) {
		var instead *answer
		if route, instead, lookErr = t.g.hold(r, v); lookErr != nil {
			return nil, lookErr
		}
		v.route = route
		if instead != nil {
			return nil, &insteadError{instead}
		}
	}
	if !isLive(route) {
		why := notLive(route)
		return nil, &insteadError{&why}
	}
	t.g.flights.add(v.flight, route)
	second, url := *r, *r.URL
	url.Host = route.Address
	second.URL = &url
	return t.to.RoundTrip(&second)
}

// undialed reports whether a request could not be sent at all.
func undialed(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}
