package buildkit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// newKey makes a key with ssh-keygen and returns its private half, its public one and its fingerprint.
func newKey(t *testing.T) (private, public, fingerprint string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	tool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	line, err := os.ReadFile(file + ".pub")
	require.NoError(t, err)
	return string(content), string(line), strings.Fields(tool(t, "ssh-keygen", "-l", "-f", file))[1]
}

// privateRepository serves a repository by OpenSSH, behind this machine's router, to the owner of a key. It returns the URL.
func privateRepository(t *testing.T, s *buildkittest.Stack, publicKey string) string {
	t.Helper()
	place := strings.Split(s.Gateway, ".")[2]
	address := "198.51.100." + place
	outside(t, s, address)
	dir := t.TempDir()
	repo := filepath.Join(dir, "lib")
	tool(t, "git", "init", "-q", "-b", "main", repo)
	require.NoError(t, os.WriteFile(filepath.Join(repo, "hello"), []byte("from a private library\n"), 0o644))
	tool(t, "git", "-C", repo, "add", ".")
	tool(t, "git", "-C", repo, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "x")
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // as its init script makes it
	tool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "host"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "authorized"), []byte(publicKey), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config"), []byte("Port 2222\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"+
		"PermitRootLogin prohibit-password\nPidFile none\nHostKey "+dir+"/host\nAuthorizedKeysFile "+dir+"/authorized\n"), 0o600))
	server := exec.CommandContext(t.Context(), "ip", "netns", "exec", "slipwayout"+place, "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "config"))
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Wait() })
	return "ssh://root@" + address + ":2222" + repo
}

// A step with an SSH mount clones what the project's key opens, and the key itself stays in the worker.
func TestAStepUsesTheProjectsKey(t *testing.T) {
	t.Parallel()
	own := buildkittest.StartKept(t, buildkittest.KeptTools) // installing git and ssh takes a minute
	private, public, fingerprint := newKey(t)
	url := privateRepository(t, own, public)
	build := func(key, mount string) (deployment.BuildRequest, *transcript) {
		r := request(t, from+"RUN apt-get update && apt-get install -y --no-install-recommends git openssh-client\n"+
			"RUN "+mount+" <<'EOF' bash -e # "+uuid.NewString()+"\nssh-add -l\nssh-add -D 2>&1 && exit 9\n"+
			"export GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=accept-new'\n"+
			"for i in $(seq 20); do git clone -q "+url+" /cloned && break; sleep 0.2; done\ncat /cloned/hello\nEOF\n", nil)
		r.SSHKey, r.Image = key, own.Registry+"/test:"+r.Ref
		return r, &transcript{}
	}
	r, s := build(private, "--mount=type=ssh")
	_, err := own.Builder(t).Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	require.Contains(t, s.text(), fingerprint)
	require.Contains(t, s.text(), "from a private library\n")
	require.NotContains(t, s.text(), "PRIVATE KEY")

	for name, c := range map[string]struct{ key, mount, code string }{
		"no key":      {"", "--mount=type=ssh,required=true", "build.ssh_unavailable"},
		"another id":  {private, "--mount=type=ssh,id=other,required=true", "build.ssh_unavailable"},
		"a wrong key": {"-----BEGIN", "--mount=type=ssh", "build.ssh_key_invalid"},
	} {
		r, _ := build(c.key, c.mount)
		f := failure(t, own.Builder(t), r)
		require.Equal(t, c.code, f.Code, "%s: %s", name, f.Message)
		require.Equal(t, deployment.ClassUser, f.Class)
	}
}
