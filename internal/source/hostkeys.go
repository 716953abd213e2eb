package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// HostKeys remember the keys of SSH hosts that were believed when they were first met. Hosts are "host:port", keys are
// lines of known_hosts.
type HostKeys interface {
	// HostKey returns the key of a host, empty for none.
	HostKey(ctx context.Context, host string) (line string, err error)
	// PinHostKey stores a host's key unless there is one, and returns the one that is stored then.
	PinHostKey(ctx context.Context, host, line string) (pinned string, err error)
}

// hostKeyDB is what known_hosts files say.
type hostKeyDB interface {
	HostKeyCallback() ssh.HostKeyCallback
	HostKeyAlgorithms(hostPort string) []string
}

// hostKeyRules says which keys of the host at u are believed: those given with the credential and no others, else those
// of the installation's files, else, where that is wanted, the first that is met.
func (t *trip) hostKeyRules(ctx context.Context, u *url.URL) (ssh.HostKeyCallback, []string, error) {
	hostPort := strings.TrimPrefix(origin(u), "ssh://")
	files, text, given := t.ssh.knownHosts, "", t.opens(u) && t.credential.KnownHosts != ""
	if given {
		files, text = nil, t.credential.KnownHosts
	} else if t.ssh.acceptNew != nil {
		var err error
		if text, err = t.ssh.acceptNew.HostKey(ctx, hostPort); err != nil {
			return nil, nil, err
		}
	}
	known, err := knownHostsDB(text, files)
	if err != nil {
		return nil, nil, deployment.UserFailure("source.host_key_refused", "have the operator correct slipway's known_hosts", "read known hosts: %w", err)
	}
	callback := known.HostKeyCallback()
	if !given && t.ssh.acceptNew != nil {
		callback = t.acceptingNew(ctx, callback)
	}
	return callback, known.HostKeyAlgorithms(hostPort), nil
}

// acceptingNew believes a host that nobody knows, and remembers its key. Of two that meet it at once with different keys
// one is refused.
func (t *trip) acceptingNew(ctx context.Context, known ssh.HostKeyCallback) ssh.HostKeyCallback {
	return func(host string, remote net.Addr, key ssh.PublicKey) error {
		err := known(host, remote, key)
		var unknown *knownhosts.KeyError
		if !errors.As(err, &unknown) || len(unknown.Want) > 0 {
			return err
		}
		line := knownhosts.Line([]string{host}, key)
		pinned, err := t.ssh.acceptNew.PinHostKey(ctx, host, line)
		if err != nil {
			return fmt.Errorf("remember host key: %w", err)
		}
		if pinned != line {
			_, _, other, _, _, err := ssh.ParseKnownHosts([]byte(pinned))
			return errors.Join(err, &knownhosts.KeyError{Want: []knownhosts.KnownKey{{Key: other}}})
		}
		t.line(fmt.Sprintf("met %s for the first time; its host key %s is believed from now on", host, ssh.FingerprintSHA256(key)))
		return nil
	}
}

// knownHostsDB reads known hosts from a text and from those files that exist. The library reads files alone.
func knownHostsDB(text string, files []string) (_ hostKeyDB, err error) {
	file, err := os.CreateTemp("", "known_hosts-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text + "\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return gitssh.NewKnownHostsDb(append(slices.Clone(files), file.Name())...)
}

// defaultKnownHosts are the files that ssh itself reads.
func defaultKnownHosts() []string {
	if given := filepath.SplitList(os.Getenv("SSH_KNOWN_HOSTS")); len(given) > 0 {
		return given
	}
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".ssh", "known_hosts"))
	}
	return files
}

// hostKeyFailure is the failure of a host whose key is not believed.
func hostKeyFailure(u *url.URL, err *knownhosts.KeyError) *deployment.Failure {
	if len(err.Want) > 0 {
		return deployment.UserFailure("source.host_key_refused",
			"make sure that nobody stands in between, then give the server's new host keys with the credential (`slipway credentials set --known-hosts FILE`)",
			"the host key of %s is not the one that is known: %w", deployment.OriginOf(u), err)
	}
	return deployment.UserFailure("source.host_key_refused",
		"give the server's host keys with the credential (`slipway credentials set --known-hosts FILE`; `"+keyscan(u)+
			"` prints them, compare them with what the host publishes), or have the operator add them to slipway's known_hosts",
		"the host key of %s is not known: %w", deployment.OriginOf(u), err)
}
