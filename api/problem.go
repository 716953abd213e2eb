package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// problemError is an answer that is not what was asked for. It is an error, so that a helper deep inside a handler can
// return it.
type problemError struct {
	status int
	code   string
	detail string
	field  string
	fix    string
	faults []deployment.FieldError // when several fields are at fault; the first is field, detail and fix

	retryAfter int // seconds until it is worth trying again; 0 does not say
}

// Error returns what is wrong, for the log.
func (p *problemError) Error() string { return p.code + ": " + p.detail }

// The problems that no handler knows of.
var (
	errInternal = &problemError{
		status: http.StatusInternalServerError, code: "internal", detail: "slipway could not do this; nothing is wrong with the request",
		fix: "try again; if it stays, look for the request_id in the server's log",
	}
	errNoRoute = &problemError{
		status: http.StatusNotFound, code: "no_such_route", detail: "nothing is served at this path",
		fix: "see /openapi.yaml for the paths",
	}
	errWrongMethod = &problemError{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed", detail: "the path does not take this method",
		fix: "use one of the methods in the header Allow",
	}
)

// sentinels says what the answers of the store mean to a client. What is in no row is errInternal.
var sentinels = []struct {
	err     error
	problem problemError
}{
	{deployment.ErrNotFound, problemError{
		status: http.StatusNotFound, code: "not_found", detail: "what the path names does not exist",
	}},
	{deployment.ErrNameTaken, problemError{
		status: http.StatusConflict, code: "name_taken", detail: "another project has this name", field: "name",
		fix: "choose another name, or change the project that has it",
	}},
	{deployment.ErrConflict, problemError{
		status: http.StatusConflict, code: "conflict", detail: "others kept changing it at the same moment",
		fix: "read it again, then repeat the change if it is still meant",
	}},
	{deployment.ErrIdempotencyMismatch, problemError{
		status: http.StatusConflict, code: "idempotency_key_reused", detail: "the key was used with another request",
		field: "Idempotency-Key", fix: "use a new key for a new request",
	}},
	{deployment.ErrTooManyOpen, problemError{
		status: http.StatusTooManyRequests, code: "too_many_deployments",
		detail: "as many deployments have not ended as this installation takes; nothing was stored",
		fix:    "try again after the seconds of Retry-After, cancel what is not needed, or have the operator raise SLIPWAY_MAX_QUEUED",
		// Less than a short build takes: places come one by one, and whoever asks too early is told again.
		retryAfter: 10,
	}},
	{deployment.ErrNotCancelable, problemError{
		status: http.StatusConflict, code: "not_cancelable", detail: "the deployment has ended", field: "id",
		fix: "nothing is left to cancel; to replace what is live, deploy another commit",
	}},
	{deployment.ErrNotRetryable, problemError{
		status: http.StatusConflict, code: "not_retryable", detail: "the deployment has neither failed nor been canceled", field: "id",
		fix: "wait until it ends or cancel it first; to build what is ready again, deploy it again",
	}},
	{deployment.ErrReplaced, problemError{
		status: http.StatusConflict, code: "replaced", field: "id",
		detail: "a newer deployment of its environment is live, or under way where order_policy is supersede",
		fix:    "deploy its commit again: a retry would put an older deployment in the place of a newer one",
	}},
	{deployment.ErrNothingBefore, problemError{
		status: http.StatusConflict, code: "nothing_before", detail: "nothing was live in the environment before what is live now", field: "deployment",
		fix: "name the deployment to go back to, or deploy the commit that is wanted",
	}},
	{deployment.ErrNoImage, problemError{
		status: http.StatusConflict, code: "no_image", detail: "the deployment was never live, so it has no image that is known to work", field: "deployment",
		fix: "name one that became ready, or deploy its commit again",
	}},
	{deployment.ErrImageRemoved, problemError{
		status: http.StatusConflict, code: "image_removed", field: "deployment",
		detail: "the image was removed from the registry: newer ones have been live since, and only the last few of an environment are kept",
		fix:    "deploy its commit again (`slipway deploy PROJECT --commit COMMIT --environment ENVIRONMENT`), or name a newer deployment",
	}},
	{deployment.ErrNoEnd, problemError{
		status: http.StatusConflict, code: "no_end", detail: "the preview never expires, so there is no end to put off: production's has none", field: "id",
		fix: "nothing is to be done; stop it when it is not wanted any more",
	}},
	{deployment.ErrPinned, problemError{
		status: http.StatusConflict, code: "pinned", detail: "the preview is pinned, and does not expire", field: "id",
		fix: "nothing is to be done; unpin it to give it an end again",
	}},
	{deployment.ErrLastToken, problemError{
		status: http.StatusConflict, code: "last_token", field: "id",
		detail: "the token is the last one that does not expire: without it a day would come when nobody can make another",
		fix:    "make one that does not expire first (`slipway admin token create NAME`), then revoke this one with it",
	}},
	{deployment.ErrDomainTaken, problemError{
		status: http.StatusConflict, code: "domain_taken", detail: "another environment has shown that the domain is its own", field: "name",
		fix: "remove it there first (`slipway domains remove`); an environment that is deleted frees its domains",
	}},
	{deployment.ErrInvalidCursor, problemError{
		status: http.StatusBadRequest, code: "invalid_cursor", detail: "the cursor is not one that this list gave",
		field: "cursor", fix: "pass the next_cursor of the page before unchanged, or leave it out for the first page",
	}},
}

// problemOf is the one way from an error to an answer.
func problemOf(err error) *problemError {
	if p, ok := errors.AsType[*problemError](err); ok {
		return p
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return &s.problem
		}
	}
	if f, ok := errors.AsType[*deployment.Failure](err); ok {
		if name, ours := backends[f.Component]; ours {
			return awayProblem(name, f.Code)
		}
	}
	return errInternal
}

// backends are the components that the API itself cannot do without.
var backends = map[deployment.Component]string{
	deployment.ComponentPostgres: "Postgres", deployment.ComponentTemporal: "Temporal",
}

// awaySeconds is when to ask again while a component is away: a restart of it takes about so long.
const awaySeconds = 5

func awayProblem(name, code string) *problemError {
	return &problemError{
		status: http.StatusServiceUnavailable, code: code, retryAfter: awaySeconds,
		detail: name + " does not answer; nothing is wrong with the request",
		fix:    "try again after the seconds of Retry-After; if it stays, the operator finds at /readyz what is away",
	}
}

// fail answers with the problem that err is and ends the request. Only faults of slipway itself are logged here.
func (s *server) fail(c *gin.Context, err error) {
	c.Abort()
	if c.Request.Context().Err() != nil {
		c.Status(statusClientGone) // nobody reads the answer, and what failed may have failed for this reason alone
		return
	}
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError {
		s.Logger.ErrorContext(c.Request.Context(), "Request not served", "error", err, "method", c.Request.Method, "path", c.Request.URL.Path,
			"request_id", c.GetString(keyRequestID))
	}
	s.write(c, p)
}

// statusClientGone shows in the access log only (as in nginx's).
const statusClientGone = 499

func (s *server) write(c *gin.Context, p *problemError) {
	faults := make([]oapi.FieldFault, 0, len(p.faults))
	for _, f := range p.faults {
		faults = append(faults, oapi.FieldFault{Field: f.Field, Detail: f.Fault, Fix: optional(f.Fix)})
	}
	if len(faults) == 0 && p.field != "" {
		faults = append(faults, oapi.FieldFault{Field: p.field, Detail: p.detail, Fix: optional(p.fix)})
	}
	if p.retryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(p.retryAfter))
	}
	c.Header("Content-Type", "application/problem+json")
	c.JSON(p.status, oapi.Problem{
		Type: "about:blank", Title: http.StatusText(p.status), Status: p.status, Code: p.code, Detail: p.detail,
		Field: optional(p.field), Fix: optional(p.fix), Errors: faults, RequestID: c.GetString(keyRequestID),
	})
}

// fieldProblem is 422 for the fields of a body that are at fault; nil for none.
func fieldProblem(faults ...*deployment.FieldError) error {
	p := &problemError{status: http.StatusUnprocessableEntity, code: "invalid_field"}
	for _, f := range faults {
		if f != nil {
			p.faults = append(p.faults, *f)
		}
	}
	if len(p.faults) == 0 {
		return nil
	}
	first := p.faults[0]
	p.field, p.fix, p.detail = first.Field, first.Fix, first.Fault
	if first.Field != "" {
		p.detail = first.Error()
	}
	return p
}

// parameterProblem is 400 for a parameter of the path, the query or a header.
func parameterProblem(name, fault, fix string) *problemError {
	return &problemError{status: http.StatusBadRequest, code: "invalid_parameter", detail: fault, field: name, fix: fix}
}

// named gives a "not found" of the store the name of what was looked for; other errors pass.
func named(err error, field, what, name string) error {
	if !errors.Is(err, deployment.ErrNotFound) {
		return err
	}
	return &problemError{
		status: http.StatusNotFound, code: "not_found", detail: fmt.Sprintf("no %s is called %q", what, name), field: field,
	}
}
