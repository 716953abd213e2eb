package source_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestCheckCredentialNamesTheFieldAndTheFix(t *testing.T) {
	t.Parallel()
	client := newSSHClient(t)
	good, public := sshKey(t, "-t", "ed25519")
	locked, _ := sshKey(t, "-t", "ed25519", "-N", "passphrase")
	lockedPEM, _ := sshKey(t, "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "passphrase")
	short, _ := sshKey(t, "-t", "rsa", "-b", "1024")
	const https, sshURL = "https://127.0.0.1/app.git", "git@127.0.0.1:app.git"
	const token, key = deployment.CredentialToken, deployment.CredentialSSHKey
	hostLine := "127.0.0.1 " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	for name, test := range map[string]struct {
		url                          string
		kind                         deployment.CredentialKind
		username, secret, knownHosts string
		field, fault                 string
	}{
		"kind":                     {https, "password", "", "x", "", "kind", `is "password"`},
		"token for ssh":            {sshURL, token, "", goodToken, "", "kind", "ssh one"},
		"key for https":            {https, key, "", good, "", "kind", "https one"},
		"no token":                 {https, token, "", "", "", "secret", "is empty"},
		"token of two lines":       {https, token, "", "a\nb", "", "secret", "line breaks"},
		"token with NUL":           {https, token, "", "a\x00b", "", "secret", "blanks"},
		"key as a token":           {https, token, "", good, "", "secret", "is a key"},
		"long token":               {https, token, "", strings.Repeat("a", 20<<10), "", "secret", "16 KiB"},
		"known hosts and a token":  {https, token, "", goodToken, hostLine, "known_hosts", "ssh_key only"},
		"colon in the name":        {https, token, "a:b", goodToken, "", "username", "not a user name"},
		"line break in the name":   {https, token, "a\nb", goodToken, "", "username", "not a user name"},
		"not a key":                {sshURL, key, "", "hunter2", "", "secret", "not a private key"},
		"half a key":               {sshURL, key, "", good[:len(good)/2], "", "secret", "not a private key"},
		"passphrase":               {sshURL, key, "", locked, "", "secret", "passphrase"},
		"passphrase, PEM":          {sshURL, key, "", lockedPEM, "", "secret", "passphrase"},
		"public key":               {sshURL, key, "", string(ssh.MarshalAuthorizedKey(public)), "", "secret", "public key"},
		"PuTTY":                    {sshURL, key, "", "PuTTY-User-Key-File-3: ssh-ed25519\n", "", "secret", "PuTTY"},
		"short RSA":                {sshURL, key, "", short, "", "secret", "1024 bits"},
		"known hosts, no line":     {sshURL, key, "", good, hostLine + "\nhunter2", "known_hosts", "line 2"},
		"known hosts, bad key":     {sshURL, key, "", good, "127.0.0.1 ssh-ed25519 AAAA", "known_hosts", "line 1"},
		"known hosts of others":    {sshURL, key, "", good, strings.Replace(hostLine, "127.0.0.1", "git.example.com", 1), "known_hosts", "no key of 127.0.0.1:22"},
		"known hosts, comment":     {sshURL, key, "", good, "# nothing", "known_hosts", "no key of"},
		"good token":               {https, token, "", goodToken, "", "", ""},
		"good key":                 {sshURL, key, "deploy", good, "# ssh-keyscan\n\n" + hostLine + "\n", "", ""},
		"URL that may not be used": {"ftp://127.0.0.1/app.git", token, "", goodToken, "", "repo_url", "scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := deployment.GitCredential{Secret: test.secret, KnownHosts: test.knownHosts, CredentialSummary: deployment.CredentialSummary{Kind: test.kind, Username: test.username}}
			checked, faults := client.CheckCredential(test.url, given)
			var found []*deployment.FieldError
			for _, fault := range faults {
				if fault != nil {
					found = append(found, fault)
				}
			}
			if test.field == "" {
				require.Empty(t, found)
				require.True(t, checked.Opens(test.url))
				return
			}
			require.NotEmpty(t, found)
			require.Equal(t, test.field, found[0].Field)
			require.Contains(t, found[0].Fault, test.fault)
			require.NotEmpty(t, found[0].Fix)
			for _, fault := range found {
				require.NotContains(t, fault.Error()+fault.Fix, "hunter2")
			}
		})
	}
	checked, _ := client.CheckCredential(https, deployment.GitCredential{Secret: goodToken, CredentialSummary: deployment.CredentialSummary{Kind: token}})
	require.Equal(t, "x-token-auth", checked.Username)
	checked, _ = client.CheckCredential(sshURL, deployment.GitCredential{Secret: good, CredentialSummary: deployment.CredentialSummary{Kind: key}})
	require.Equal(t, ssh.FingerprintSHA256(public), checked.Fingerprint)
}
