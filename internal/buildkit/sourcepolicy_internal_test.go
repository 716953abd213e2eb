package buildkit

import (
	"testing"

	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/sourcepolicy"
	spb "github.com/moby/buildkit/sourcepolicy/pb"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestSourcePolicy(t *testing.T) {
	t.Parallel()
	engine := sourcepolicy.NewEngine([]*spb.Policy{sourcePolicy("registry:5000/app:tag", deployment.RegistryLogins{"base.internal:5000": {Username: "u", Password: "p"}})})
	evaluate := func(source string) error {
		_, err := engine.Evaluate(t.Context(), &pb.SourceOp{Identifier: source})
		return err
	}
	require.NoError(t, evaluate("docker-image://base.internal:5000/x:1"), "the operator gave a login for it")
	for _, source := range []string{"docker-image://base.internal/x:1", "docker-image://base.internal:5001/x:1", "http://base.internal:5000/x"} {
		require.Error(t, evaluate(source), source)
	}
	for _, host := range []string{
		"example.com", "example.com.", "EXAMPLE.com", "a_b.example-1.co", "10.example.com", "1.1.1.1", "172.32.0.1", "172.15.0.1",
		"100.63.0.1", "100.128.0.1", "169.253.0.1", "192.167.1.1", "11.0.0.1", "internal.example.com", "notlocalhost.com", "xn--bcher-kva.example",
	} {
		for _, source := range []string{"http://" + host, "https://u:p@" + host + ":8443/a?b#c", "git://" + host + "/x.git#main:sub", "docker-image://" + host + "/x:1"} {
			require.NoError(t, evaluate(source), source)
		}
	}
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "127.0.0.0x1", "[::1]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "[fe80::1%25eth0]", "0.0.0.0", "0", "[::]", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "100.100.100.200", "100.127.0.1", "224.0.0.1", "255.255.255.255", "localhost", "LOCALHOST", "localhost.", "app.localhost", "metadata.google.internal",
		"host.docker.internal.", "INTERNAL", "intranet", "127。0。0。1", "１27.0.0.1", "127%2e0.0.1", "loc%61lhost", "localhoſt", "a.localhoſt", "example.com\\@127.0.0.1", "example.com@127.0.0.1@localhost", "",
	} {
		for _, source := range []string{
			"http://" + host, "https://" + host + ":8233/a", "HTTP://u:p@" + host + "/", "https://example.com@" + host + "/a", "http://" + host + "?x=.example.com",
			"git://" + host + "/x.git", "docker-image://" + host + "/x:1", "docker-image://" + host + ":5000/x@sha256:0",
		} {
			require.ErrorIs(t, evaluate(source), sourcepolicy.ErrSourceDenied, source)
		}
	}
	require.NoError(t, evaluate("local://context"))
	require.NoError(t, evaluate("docker-image://docker.io/library/debian:bookworm-slim"))
	require.NoError(t, evaluate("docker-image://registry:5000/library/x:1"))
	require.Error(t, evaluate("docker-image://registry:50000/x:1"))
	require.Error(t, evaluate("http://registry:5000/v2/"), "the registry is for images")
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	many := make([]string, 60)
	many[59] = "last"
	require.Len(t, lastLines(many), 50)
	require.Equal(t, "last", lastLines(many)[49])
	long := string(make([]byte, maxLine))
	require.Equal(t, []string{long, "end"}, lastLines([]string{"a", long, long, "end"}))
}
