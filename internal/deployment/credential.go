package deployment

import (
	"encoding/base64"
	"net/url"
	"strings"
	"time"
)

// CredentialKind says how a credential opens a repository.
type CredentialKind string

// The kinds of credentials.
const (
	CredentialToken  CredentialKind = "token"   // for https: a password in all but name
	CredentialSSHKey CredentialKind = "ssh_key" // for ssh: a private key without a passphrase
)

// CredentialSummary is what may be told of a credential.
type CredentialSummary struct {
	Kind CredentialKind
	// Origin is the one place that it is sent to: scheme, host, and the port unless it is the scheme's own, as in
	// "https://git.example.com".
	Origin      string
	Username    string
	Fingerprint string // of an SSH key's public half, as `ssh-keygen -l` shows it
	UpdatedAt   time.Time
}

// Host returns the origin without its scheme.
func (s CredentialSummary) Host() string {
	_, host, _ := strings.Cut(s.Origin, "://")
	return host
}

// GitCredential opens a project's private repository.
type GitCredential struct {
	CredentialSummary
	Secret     string `json:"-"` // the token, or the private key in PEM
	KnownHosts string // for SSH: the only host keys that are accepted; empty leaves it to the installation
}

// String keeps the secret out of whatever prints a credential.
func (c GitCredential) String() string { return string(c.Kind) + " for " + c.Origin }

// GoString is String, for %#v.
func (c GitCredential) GoString() string { return c.String() }

// Secrets are the texts that nobody may read in a log: the secret, and what basic authentication makes of it.
func (c GitCredential) Secrets() []string {
	if c.Kind == CredentialSSHKey {
		return []string{c.Secret}
	}
	return []string{c.Secret, c.BasicAuth()}
}

// BasicAuth returns username and secret as HTTP's basic authentication sends them.
func (c GitCredential) BasicAuth() string {
	return base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Secret))
}

// Repository is where to fetch from, and with what.
type Repository struct {
	URL        string
	Credential *GitCredential // nil for none; it is sent to its own origin only
	ProjectID  string         // whose mirrors on the host may be used; empty for none
}

// OriginOf returns scheme, host and port of a repository's URL in one spelling, without the port that is the scheme's own.
func OriginOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	return u.Scheme + "://" + strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443", "ssh": ":22"}[u.Scheme])
}

// Opens reports whether the credential is for the place of a repository.
func (s CredentialSummary) Opens(repoURL string) bool {
	u, err := ParseRepoURL(repoURL)
	return err == nil && s.Origin == OriginOf(u)
}

// ParseRepoURL reads a repository's URL, also in the form user@host:path that scp and git share; a path that does not
// begin with a slash then begins at the user's home, and is kept so.
func ParseRepoURL(raw string) (*url.URL, error) {
	if !scpLikeURL.MatchString(raw) {
		return url.Parse(raw)
	}
	login, path, _ := strings.Cut(raw, ":")
	user, host, _ := strings.Cut(login, "@")
	return &url.URL{Scheme: "ssh", User: url.User(user), Host: host, Path: path}, nil
}
