package source

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Defaults of Options and fixed bounds.
const (
	DefaultTimeout  = 15 * time.Minute
	DefaultMaxBytes = 1 << 30
	DefaultMaxFiles = 300_000
	resolveTimeout  = time.Minute
	checkTimeout    = 5 * time.Second
)

// Options say which repositories a Client may reach and how much it takes from them.
type Options struct {
	// AllowSchemes are the URL schemes allowed, of https, ssh and http; empty for https and ssh.
	AllowSchemes []string
	// AllowNets are networks that the address guard lets through although they are not public.
	AllowNets []netip.Prefix
	// TrustedOrigins pass the guard whatever they resolve to, "http://127.0.0.1:41234" for one: exactly this scheme, host
	// and port. The scheme http is allowed for them.
	TrustedOrigins []string
	// Timeout bounds one Fetch; 0 means DefaultTimeout.
	Timeout time.Duration
	// MaxBytes bounds what a Fetch receives, and apart from that what it checks out; 0 means DefaultMaxBytes.
	MaxBytes int64
	// MaxFiles bounds how many files, folders and links a Fetch checks out; 0 means DefaultMaxFiles.
	MaxFiles int
	// SSHAgent is the socket of the agent that holds keys for ssh URLs; empty means SSH_AUTH_SOCK.
	SSHAgent string
	// KnownHosts are files of host keys for ssh URLs; empty means the user's and the system's known_hosts.
	KnownHosts []string
	// AcceptNewHostKeys remembers the key of an ssh host that nobody knows when it is first met; nil refuses such hosts.
	AcceptNewHostKeys HostKeys
}

// Client resolves refs and fetches commits. It is safe for use by several goroutines.
type Client struct {
	guard    *guard
	http     *httpTransports
	timeout  time.Duration
	maxBytes int64
	maxFiles int
	ssh      sshSettings
	mirrors  *Mirrors // nil for none
}

// New returns a Client, or every fault of the options.
func New(o Options) (*Client, error) {
	if len(o.AllowSchemes) == 0 {
		o.AllowSchemes = []string{"https", "ssh"}
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxFiles == 0 {
		o.MaxFiles = DefaultMaxFiles
	}
	if o.SSHAgent == "" {
		o.SSHAgent = os.Getenv("SSH_AUTH_SOCK")
	}
	if len(o.KnownHosts) == 0 {
		o.KnownHosts = defaultKnownHosts()
	}
	g, err := newGuard(o)
	if err != nil {
		return nil, fmt.Errorf("configure git source: %w", err)
	}
	return &Client{
		guard: g, http: newHTTPTransports(g), timeout: o.Timeout, maxBytes: o.MaxBytes, maxFiles: o.MaxFiles,
		ssh: sshSettings{agent: o.SSHAgent, knownHosts: slices.Clone(o.KnownHosts), acceptNew: o.AcceptNewHostKeys},
	}, nil
}

// CheckURL checks a repository's URL the way a fetch will: its shape, its scheme, and the addresses that its host resolves
// to. It answers within five seconds. nil means that a fetch may try.
func (c *Client) CheckURL(ctx context.Context, raw string) *deployment.FieldError {
	u, fault := c.parse(raw)
	if fault != nil || c.guard.trusts(u) {
		return fault
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if _, err := c.guard.resolve(ctx, u.Hostname()); err != nil {
		if refused, ok := errors.AsType[*AddressError](err); ok {
			return &deployment.FieldError{Field: "repo_url", Fault: refused.Error(), Fix: fixAddress}
		}
		return &deployment.FieldError{
			Field: "repo_url", Fault: fmt.Sprintf("host %s does not resolve", u.Hostname()),
			Fix: "check the spelling of the host; if it is right, try again later",
		}
	}
	return nil
}

// parse checks the shape of a repository's URL.
func (c *Client) parse(raw string) (*url.URL, *deployment.FieldError) {
	schemes := slices.Clone(c.guard.schemes)
	u, err := deployment.ParseRepoURL(raw)
	if err == nil && c.guard.trusts(u) {
		schemes = append(schemes, u.Scheme)
	}
	if fault := deployment.ValidateRepoURL(raw, schemes); fault != nil {
		return nil, fault
	}
	return u, nil
}
