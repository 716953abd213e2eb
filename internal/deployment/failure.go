package deployment

import (
	"errors"
	"fmt"
	"time"
)

// Class says whose a failure is and therefore what is done about it.
type Class string

// The failure classes.
const (
	ClassUser      Class = "user"      // their code or configuration: never retried, shown with the lines that explain it
	ClassTransient Class = "transient" // retried by policy
	ClassPlatform  Class = "platform"  // ours: retried, and somebody should look
)

// Failure is why a step or a deployment failed, in words that its reader can act on. It is an error, so that an adapter
// can return it from deep inside, and errors.As finds it at the activity's edge.
type Failure struct {
	Class     Class     `json:"class"`
	Code      string    `json:"code"`                // stable, e.g. "build.command_failed"
	Step      StepName  `json:"step,omitempty"`      // filled in by the activity interceptor when empty
	Component Component `json:"component,omitempty"` // that is away, when it is that
	Message   string    `json:"message"`
	Fix       string    `json:"fix,omitempty"`
	ExitCode  *int      `json:"exit_code,omitempty"` // of the command that failed, where there was one
	Lines     []string  `json:"lines,omitempty"`     // the last lines of output that explain it

	RetryAfter time.Duration `json:"-"` // to the next attempt at what is no step; 0 leaves that to the retry policy
	cause      error
}

// MaxFailureLines bounds Failure.Lines: enough to explain, small enough for a workflow history.
const MaxFailureLines = 50

// Error returns the message, which reads as a path of causes.
func (f *Failure) Error() string { return f.Message }

// Unwrap returns what caused the failure, nil when the failure is the first to know.
func (f *Failure) Unwrap() error { return f.cause }

// UserFailure returns a failure of the user's code or configuration.
func UserFailure(code, fix, format string, args ...any) *Failure {
	return newFailure(ClassUser, code, fix, format, args...)
}

// TransientFailure returns a failure that may be gone at the next attempt.
func TransientFailure(code, fix, format string, args ...any) *Failure {
	return newFailure(ClassTransient, code, fix, format, args...)
}

// PlatformFailure returns a failure of slipway itself or of what it runs on.
func PlatformFailure(code, fix, format string, args ...any) *Failure {
	return newFailure(ClassPlatform, code, fix, format, args...)
}

func newFailure(class Class, code, fix, format string, args ...any) *Failure {
	err := fmt.Errorf(format, args...)
	return &Failure{Class: class, Code: code, Fix: fix, Message: err.Error(), cause: errors.Unwrap(err)}
}

// InternalFix is what to do about a failure that nothing explains: it is for the operator.
const InternalFix = "look into the worker's log; if it does not explain the failure, deploy again"

// AsFailure returns the Failure inside err with the whole of err as its message, or a platform failure with code
// "internal" when there is none.
func AsFailure(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		whole := *f
		whole.Message = err.Error()
		return &whole
	}
	return &Failure{Class: ClassPlatform, Code: "internal", Message: err.Error(), Fix: InternalFix, cause: err}
}
