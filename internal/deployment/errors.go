package deployment

import (
	"errors"
	"fmt"
)

// What a store answers when a request cannot be done as things stand. Callers test with errors.Is.
var (
	ErrNotFound            = errors.New("not found")
	ErrNameTaken           = errors.New("name is taken")
	ErrIdempotencyMismatch = errors.New("idempotency key was used with another request")
	ErrTooManyOpen         = errors.New("too many deployments have not ended")
	ErrNotCancelable       = errors.New("deployment cannot be canceled any more")
	ErrNotRetryable        = errors.New("deployment has neither failed nor been canceled")
	ErrNothingBefore       = errors.New("nothing was live in the environment before")
	ErrNoImage             = errors.New("deployment has no image that has been live")
	ErrImageRemoved        = errors.New("the image of the deployment was removed")
	ErrReplaced            = errors.New("a newer deployment of the environment has replaced it, or is about to")
	ErrEnded               = errors.New("deployment has ended and is not begun again")
	ErrConflict            = errors.New("changed by another request since it was read")
	ErrStaleRun            = errors.New("another run of the workflow has taken over")
	ErrSuperseded          = errors.New("a newer deployment of the environment is live")
	ErrCancelRequested     = errors.New("cancel was requested")
	ErrInvalidCursor       = errors.New("invalid cursor")
	ErrLastToken           = errors.New("no token would be left that does not expire")
	ErrDomainTaken         = errors.New("another environment has shown that the domain is its own")
	ErrHostLives           = errors.New("the host is there")
	ErrInvalidMove         = errors.New("status cannot follow the present one")
	ErrNotLive             = errors.New("deployment is not the live one of its environment")
	ErrNoEnd               = errors.New("preview has no end")
	ErrPinned              = errors.New("preview is pinned")
)

// ProjectFullError says that a project holds as many build slots as it may.
type ProjectFullError struct {
	Builds, Most int // under way, and how many may be
	Turn         int // of the deployment that asked, among those of its project that wait: 1 is the next
}

// Error says how many builds there are.
func (e *ProjectFullError) Error() string {
	return fmt.Sprintf("the project has %d of at most %d builds under way", e.Builds, e.Most)
}
