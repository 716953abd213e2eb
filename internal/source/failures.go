package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// errTimeout is the cause of a context that ended because the Client's own time was up.
var errTimeout = errors.New("took longer than allowed")

const (
	fixAddress    = "use a repository on a public address, or have the operator allow the network (SLIPWAY_GIT_ALLOW_NETS)"
	fixRepository = "check the repository's URL"
	fixPrivate    = "check the repository's URL; if the repository is private, give the project a credential (`slipway credentials set`)"
	fixNetwork    = "check that the git server answers; slipway tries again by itself"
)

// classify says whose failure an error of the transport is. A context that was canceled from outside is no failure: its
// cause is returned.
func (t *trip) classify(ctx context.Context, u *url.URL, err error) error {
	var known *deployment.Failure
	switch cause := context.Cause(ctx); {
	case errors.As(err, &known):
		return err
	case t.budget.out || errors.Is(err, errTooLarge):
		return tooLarge("the repository sends more than %d MB", t.maxBytes>>20)
	case errors.Is(cause, errTimeout):
		return deployment.AwayFailure(deployment.ComponentGit, "source.timeout", fixNetwork, "the git server: %w", errTimeout)
	case cause != nil:
		return cause
	}
	err = inner(err)
	if f := refused(err); f != nil {
		return f
	}
	if f := t.answered(u, err); f != nil {
		return f
	}
	return deployment.AwayFailure(deployment.ComponentGit, "source.unreachable", fixNetwork, "reach the git server: %w", err)
}

// inner strips what only repeats the request's URL, and go-git's wrapper that errors.As cannot look through.
func inner(err error) error {
	for {
		var unexpected *plumbing.UnexpectedError
		var request *url.Error
		switch {
		case errors.As(err, &unexpected):
			err = unexpected.Err
		case errors.As(err, &request):
			err = request.Err
		default:
			return err
		}
	}
}

// refused returns the failure of an error that arose before the server answered, and that no retry mends.
func refused(err error) *deployment.Failure {
	var address *AddressError
	var redirect *redirectError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &address):
		return deployment.UserFailure("source.address_refused", fixAddress, "%w", err)
	case errors.As(err, &redirect):
		return deployment.UserFailure("source.redirect_refused", "give the URL that the server redirects to", "%w", err)
	case strings.HasPrefix(err.Error(), "http redirect: "): // go-git has no type for them
		return deployment.UserFailure("source.redirect_refused", "give the URL that the server redirects to", "%s",
			"redirect refused: "+strings.TrimPrefix(err.Error(), "http redirect: "))
	case errors.As(err, &certificate):
		return deployment.UserFailure("source.certificate_refused", "give the server a certificate of a public authority", "%w", err)
	}
	return nil
}

// answered returns the failure that a server's answer means. What it wrote besides stays out of the message.
func (t *trip) answered(u *url.URL, err error) *deployment.Failure {
	var status *githttp.Err
	var data *packp.ErrUnexpectedData
	switch {
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return t.notFound(u, transport.ErrRepositoryNotFound.Error())
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return t.denied(u)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return deployment.UserFailure("source.repository_empty", "push a commit first", "the repository is empty")
	case errors.As(err, &status):
		return answeredStatus(status.StatusCode())
	case errors.As(err, &data), errors.Is(err, pktline.ErrInvalidPktLen):
		return deployment.UserFailure("source.not_git", fixRepository, "the server's answer is not git's")
	}
	return nil
}

func answeredStatus(code int) *deployment.Failure {
	text := fmt.Sprintf("the server answers HTTP %d %s", code, http.StatusText(code))
	if code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		return deployment.AwayFailure(deployment.ComponentGit, "source.unreachable", fixNetwork, "%s", text)
	}
	return deployment.UserFailure("source.repository_not_found", fixRepository, "%s", text)
}

func tooLarge(format string, args ...any) *deployment.Failure {
	return deployment.UserFailure("source.too_large", "keep large files out of the repository, or have the operator raise the limit (SLIPWAY_GIT_MAX_MB)", format, args...)
}

func tooManyFiles(most int) *deployment.Failure {
	return deployment.UserFailure("source.too_many_files",
		"keep files out of the repository that the app is not built from, or have the operator raise the limit (SLIPWAY_GIT_MAX_FILES)",
		"the commit has more than %d files and folders", most)
}

func commitNotFound(commit string) *deployment.Failure {
	return deployment.UserFailure("source.commit_not_found", "push the commit, or deploy one that is on a branch",
		"the server does not have commit %s, or no branch or tag leads to it", commit)
}
