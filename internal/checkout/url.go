package checkout

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// place is where a repository lies, whatever the way to it.
type place struct{ kind, host, port, path string }

const (
	overHTTP = "http"
	overSSH  = "ssh"
	overGit  = "git"
)

var kinds = map[string]string{"http": overHTTP, "https": overHTTP, "ssh": overSSH, "git+ssh": overSSH, "ssh+git": overSSH, "git": overGit}

var defaultPorts = map[string]string{"http": "80", "https": "443", "ssh": "22", "git+ssh": "22", "ssh+git": "22", "git": "9418"}

// scpForm is git's short form of an ssh URL: [user@]host:path, with no slash before the colon.
var scpForm = regexp.MustCompile(`^(?:([^@/:]+)@)?(\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(.+)$`)

// parse returns the place of a remote's URL; false for a folder of this machine, which no server fetches from.
func parse(raw string) (place, bool) {
	u, ok := parseURL(raw)
	if !ok || kinds[u.Scheme] == "" || u.Hostname() == "" {
		return place{}, false
	}
	p := place{kind: kinds[u.Scheme], host: strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port: u.Port()}
	if p.port == defaultPorts[u.Scheme] {
		p.port = ""
	}
	p.path = strings.TrimSuffix(path.Clean("/"+u.Path), ".git")
	return p, p.path != "/"
}

// parseURL reads a URL; one in scp form as the ssh URL that it stands for.
func parseURL(raw string) (*url.URL, bool) {
	if m := scpForm.FindStringSubmatch(raw); m != nil && !strings.Contains(raw, "://") {
		u := &url.URL{Scheme: "ssh", Host: m[2], Path: "/" + strings.TrimPrefix(m[3], "/")}
		if m[1] != "" {
			u.User = url.User(m[1])
		}
		return u, true
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, false
	}
	u.Scheme = strings.ToLower(u.Scheme)
	return u, true
}

// Same reports whether two URLs lead to the same repository, by whichever protocol and user. Ports count where both use the
// same protocol: between two of them they always differ.
func Same(a, b string) bool {
	p, ok := parse(a)
	q, ok2 := parse(b)
	if p.kind != q.kind {
		p.port, q.port, p.kind, q.kind = "", "", "", ""
	}
	return ok && ok2 && p == q
}

// Public returns a remote's URL in the form in which a project takes it: no scp form, and no credentials; false for a folder
// of this machine.
func (r Remote) Public() (string, bool) {
	if _, ok := parse(r.URL); !ok {
		return "", false
	}
	u, _ := parseURL(r.URL)
	switch kinds[u.Scheme] {
	case overSSH:
		u.Scheme = "ssh"
		if u.User != nil {
			u.User = url.User(u.User.Username())
		}
	default:
		u.User = nil
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String(), true
}
