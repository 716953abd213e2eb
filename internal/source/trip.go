package source

import (
	"net/http"
	"net/url"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// trip is one Resolve or Fetch: what its connections share. One goroutine uses it at a time.
type trip struct {
	*Client
	url        *url.URL                  // of the project's repository
	credential *deployment.GitCredential // nil for none
	budget     *budget
	left       limits
	line       func(string)
	project    string      // whose mirrors are used
	said       *headBuffer // what the server of the last session said first
	strayed    string      // where a redirect of the last session led to, when the credential is not for there
}

// limits are what is left of the bounds of one Fetch, its submodules and Git LFS objects included.
type limits struct {
	bytes      int64 // to check out
	entries    int   // files, folders and links
	submodules int
}

// newTrip checks the repository's URL.
func (c *Client) newTrip(repo deployment.Repository, line func(string)) (*trip, error) {
	u, fault := c.parse(repo.URL)
	if fault != nil {
		return nil, deployment.UserFailure("source.url_invalid", fault.Fix, "repository URL %s", fault.Fault)
	}
	if line == nil {
		line = func(string) {}
	}
	t := &trip{
		Client: c, url: u, credential: repo.Credential, project: repo.ProjectID, budget: &budget{left: c.maxBytes}, line: line,
		left: limits{bytes: c.maxBytes, entries: c.maxFiles, submodules: maxSubmodules},
	}
	if t.credential != nil && !t.opens(u) {
		t.line("the project's credential is for " + t.credential.Origin + " and is not sent to " + deployment.OriginOf(u) +
			"; if the repository is private, set one for it (`slipway credentials set`)")
	}
	return t, nil
}

// opens reports whether the credential is sent to the place that u is in: the one that it is for, as long as the
// project's repository is there.
func (t *trip) opens(u *url.URL) bool {
	return t.credential != nil && t.credential.Origin == deployment.OriginOf(u) && t.atHome(u)
}

// atHome reports whether u is where the project's own repository is. Nobody logs in elsewhere, because what else a
// fetch visits, a commit says.
func (t *trip) atHome(u *url.URL) bool { return origin(u) == origin(t.url) }

// grants returns what HTTP requests to u may carry.
func (t *trip) grants(u *url.URL) []grant {
	if !t.opens(u) || t.credential.Kind != deployment.CredentialToken {
		return nil
	}
	return []grant{{origin: origin(u), header: http.Header{"Authorization": {"Basic " + t.credential.BasicAuth()}}}}
}

// denied is the failure when the server at u asks for credentials, or refuses those that it got.
func (t *trip) denied(u *url.URL) *deployment.Failure {
	const notSent = "source.credential_not_sent"
	switch {
	case t.strayed != "" && t.credential != nil:
		return deployment.UserFailure(notSent, "set the project's repo_url to where the server redirects to, then set its credential again",
			"%s redirects to %s, which asks for credentials; the project's credential is for %s and is sent nowhere else", deployment.OriginOf(u), t.strayed, t.credential.Origin)
	case t.opens(u):
		return deployment.UserFailure("source.credential_refused", t.fixRefused(), "%s refuses the project's %s", deployment.OriginOf(u), t.credentialWords())
	case !t.atHome(u):
		return deployment.UserFailure(notSent, "let it be public, or move it to "+deployment.OriginOf(t.url)+" and name it by a relative URL such as ../lib.git",
			"%s asks for credentials, and what a commit names gets the project's at the project's own server alone, %s", deployment.OriginOf(u), deployment.OriginOf(t.url))
	case t.credential != nil:
		return deployment.UserFailure(notSent, "set a credential for "+deployment.OriginOf(u)+" (`slipway credentials set`)",
			"%s asks for credentials; the project's credential is for %s and is sent nowhere else", deployment.OriginOf(u), t.credential.Origin)
	case u.Scheme == "ssh" && t.ssh.agent == "":
		return deployment.UserFailure("source.auth_required",
			"give the project an SSH key (`slipway credentials set`), use the repository's https URL, or have the operator run slipway with an ssh agent (SSH_AUTH_SOCK)",
			"an ssh URL needs a key; the project has none, and slipway has no ssh agent to take one from")
	case u.Scheme == "ssh":
		return deployment.UserFailure("source.auth_required", "give the project an SSH key (`slipway credentials set`), or give a key of slipway's ssh agent access to the repository",
			"%s knows no key of slipway's ssh agent, and the project has no key of its own", deployment.OriginOf(u))
	}
	return deployment.UserFailure("source.auth_required", fixPrivate, "the server asks for credentials: the repository is private or does not exist")
}

// notFound is the failure when the server at u has no such repository, or says so because it would not show it.
func (t *trip) notFound(u *url.URL, what string) *deployment.Failure {
	if t.opens(u) {
		return deployment.UserFailure("source.repository_not_found",
			"check the repository's URL, and that the project's "+t.credentialWords()+" may read it: servers hide what one may not see", "%s", what)
	}
	return deployment.UserFailure("source.repository_not_found", fixPrivate, "%s", what)
}

func (t *trip) credentialWords() string {
	if t.credential.Kind == deployment.CredentialSSHKey {
		return "SSH key " + t.credential.Fingerprint
	}
	return "token (user " + t.credential.Username + ")"
}

func (t *trip) fixRefused() string {
	if t.credential.Kind == deployment.CredentialSSHKey {
		return "add the key's public half to the repository as a deploy key, or set another key (`slipway credentials set`)"
	}
	return "check that the token is valid, may read the repository and goes with the user name, then set it again (`slipway credentials set`)"
}
