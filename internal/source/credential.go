package source

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	// defaultTokenUser is a user name that goes with a token at GitHub, GitLab and Gitea, which take any, and at Bitbucket,
	// which wants this one.
	defaultTokenUser = "x-token-auth"
	maxSecretBytes   = 16 << 10
	minRSABits       = 2048
)

// CheckCredential checks a credential for a repository without asking its server. What it returns is bound to the
// repository's host, with the defaults filled in.
func (c *Client) CheckCredential(repoURL string, given deployment.GitCredential) (deployment.GitCredential, []*deployment.FieldError) {
	u, fault := c.parse(repoURL)
	if fault != nil {
		return given, []*deployment.FieldError{fault}
	}
	given.Origin, given.Fingerprint = deployment.OriginOf(u), ""
	faults := []*deployment.FieldError{checkUsername(given)}
	if len(given.Secret) > maxSecretBytes {
		return given, append(faults, fieldFault("secret", "give the token or the private key alone", "has more than %d KiB", maxSecretBytes>>10))
	}
	switch given.Kind {
	case deployment.CredentialToken:
		faults = append(faults, checkToken(u, &given)...)
	case deployment.CredentialSSHKey:
		faults = append(faults, checkKey(u, &given)...)
	default:
		faults = append(faults, fieldFault("kind", "use token or ssh_key", "is %q", string(given.Kind)))
	}
	return given, faults
}

func fieldFault(field, fix, format string, args ...any) *deployment.FieldError {
	return &deployment.FieldError{Field: field, Fault: fmt.Sprintf(format, args...), Fix: fix}
}

func checkUsername(c deployment.GitCredential) *deployment.FieldError {
	if len(c.Username) > 255 || strings.Contains(c.Username, ":") || strings.ContainsFunc(c.Username, unprintable) {
		return fieldFault("username", "give a user name without colons and blanks, of 255 characters at most, or leave it out", "is not a user name")
	}
	return nil
}

func unprintable(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }

func checkToken(u *url.URL, c *deployment.GitCredential) (faults []*deployment.FieldError) {
	if u.Scheme == "ssh" {
		faults = append(faults, fieldFault("kind", "give an ssh_key, or change the project's repo_url to its https URL", "is token, and the repository's URL is an ssh one"))
	}
	switch {
	case c.Secret == "":
		faults = append(faults, fieldFault("secret", "give the token", "is empty"))
	case strings.Contains(c.Secret, "-----BEGIN"):
		faults = append(faults, fieldFault("secret", "give the token, or say kind ssh_key", "is a key, not a token"))
	case strings.ContainsFunc(c.Secret, unprintable):
		faults = append(faults, fieldFault("secret", "give the token alone, without line breaks", "has blanks or line breaks, which no token has"))
	}
	if c.KnownHosts != "" {
		faults = append(faults, fieldFault("known_hosts", "leave it out", "goes with an ssh_key only"))
	}
	if c.Username == "" {
		c.Username = defaultTokenUser
	}
	return faults
}

func checkKey(u *url.URL, c *deployment.GitCredential) (faults []*deployment.FieldError) {
	if u.Scheme != "ssh" {
		faults = append(faults, fieldFault("kind", "give a token, or change the project's repo_url to its ssh URL", "is ssh_key, and the repository's URL is an %s one", u.Scheme))
	}
	c.Secret = strings.TrimSpace(strings.ReplaceAll(c.Secret, "\r\n", "\n")) + "\n"
	signer, fault := parseKey(c.Secret)
	if fault != nil {
		faults = append(faults, fault)
	} else {
		c.Fingerprint = ssh.FingerprintSHA256(signer.PublicKey())
	}
	if c.KnownHosts != "" && u.Scheme == "ssh" {
		faults = append(faults, checkKnownHosts(u, c.KnownHosts))
	}
	return faults
}

// parseKey reads a private key. RSA keys sign with SHA-2 alone: servers that offer no more than SHA-1 are refused.
func parseKey(pem string) (ssh.Signer, *deployment.FieldError) {
	const generate = "make one with `ssh-keygen -t ed25519 -N '' -f deploy-key` and give the file deploy-key"
	raw, err := ssh.ParseRawPrivateKey([]byte(pem))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fieldFault("secret", "give a key without one: `ssh-keygen -p -N '' -f FILE` takes it off a copy", "is protected by a passphrase")
	case err != nil && strings.HasPrefix(pem, "PuTTY-User-Key-File"):
		return nil, fieldFault("secret", "convert it: `puttygen FILE.ppk -O private-openssh -o FILE`", "is a key in PuTTY's format")
	case err != nil && isPublicKey(pem):
		return nil, fieldFault("secret", "give the private half, the file without .pub", "is a public key")
	case err != nil:
		return nil, fieldFault("secret", generate, "is not a private key in PEM or OpenSSH format")
	}
	var algorithms []string
	switch key := raw.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return nil, fieldFault("secret", generate, "is an RSA key of %d bits, fewer than %d", bits, minRSABits)
		}
		algorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	case *ed25519.PrivateKey, ed25519.PrivateKey, *ecdsa.PrivateKey:
	default:
		return nil, fieldFault("secret", generate, "is a kind of key that is not used any more")
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err == nil && algorithms != nil {
		signer, err = ssh.NewSignerWithAlgorithms(signer.(ssh.AlgorithmSigner), algorithms) //nolint:forcetypeassert // every RSA signer is one
	}
	if err != nil {
		return nil, fieldFault("secret", generate, "is a key that cannot sign")
	}
	return signer, nil
}

func isPublicKey(text string) bool {
	_, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	return err == nil
}

// checkKnownHosts wants lines that can be read, one of which is for the repository's host.
func checkKnownHosts(u *url.URL, text string) *deployment.FieldError {
	hostPort := strings.TrimPrefix(origin(u), "ssh://")
	fix := "give what `" + keyscan(u) + "` prints, after comparing it with what the host publishes"
	if len(text) > maxSecretBytes {
		return fieldFault("known_hosts", fix, "has more than %d KiB", maxSecretBytes>>10)
	}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if _, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line)); err != nil {
			return fieldFault("known_hosts", fix, "line %d is not one of known_hosts", i+1)
		}
	}
	db, err := knownHostsDB(text, nil)
	if err != nil {
		return fieldFault("known_hosts", fix, "cannot be read")
	}
	if len(db.HostKeyAlgorithms(hostPort)) == 0 {
		return fieldFault("known_hosts", fix, "has no key of %s", hostPort)
	}
	return nil
}

// keyscan is the command that prints a host's keys.
func keyscan(u *url.URL) string {
	if port := u.Port(); port != "" {
		return "ssh-keyscan -p " + port + " " + u.Hostname()
	}
	return "ssh-keyscan " + u.Hostname()
}
