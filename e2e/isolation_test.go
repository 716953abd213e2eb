package e2e_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A preview is a stranger's program beside the platform. From inside its container it reaches no part of slipway, no other preview,
// no address of this machine and no cloud metadata; what its operator has opened, it reaches.
func TestAPreviewReachesNothingOfThePlatform(t *testing.T) {
	t.Parallel()
	app := waitEnd(t, deploy(t, createProject(t, "isolation-from", dev.repo("dials"), nil), nil), "ready")
	other := waitEnd(t, deploy(t, createProject(t, "isolation-other", dev.repo("dials"), nil), nil), "ready")

	open, closed := listen(t, dev.service), listen(t, "0.0.0.0:0")
	require.Eventually(t, func() bool { return dialFrom(t, app.PreviewURL, open)[open] == "reached" }, eventually, tick, // it gives up after 2 s
		"SLIPWAY_PREVIEW_SERVICES names it")

	targets := map[string]string{"169.254.169.254:80": "cloud metadata"}
	for what, address := range map[string]string{
		"the API": dev.api, "the gateway": dev.gateway, "git": dev.git, "the Web UI": dev.ui, "Temporal": dev.temporal, "the registry": dev.registry,
		"what tells of the installation": dev.ops, "a server of this machine": closed, "SSH": ":22", "Postgres": ":5432", "Docker": ":2375", "BuildKit": ":1234",
	} {
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		for _, host := range ownAddresses(t) {
			targets[net.JoinHostPort(host, port)] = what + " at " + host
		}
	}
	address := previewAddress(t, other.ID) // the gateway reaches it there, and so does this test
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	targets[address] = "another preview"

	all := make([]string, 0, len(targets))
	for to := range targets {
		all = append(all, to)
	}
	for to, answer := range dialFrom(t, app.PreviewURL, all...) {
		require.Equal(t, "silent", answer, "%s, %s", targets[to], to) // nobody has even refused it
	}
	for _, path := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/buildkit/buildkitd.sock", "/run/slipway", dev.data} {
		_, there := dev.get(t, app.PreviewURL+"/there?path="+url.QueryEscape(path))
		require.Equal(t, "false", there, path)
	}
	_, there := dev.get(t, app.PreviewURL+"/there?path=/etc/hosts")
	require.Equal(t, "true", there, "what is there is found")
}

// listen accepts connections until the test ends and returns where.
func listen(t *testing.T, address string) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return listener.Addr().String()
}

// ownAddresses are this machine's, those of bridges among them; what is loopback to the machine is another thing to a container.
func ownAddresses(t *testing.T) []string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	var list []string
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a.String())
		require.NoError(t, err)
		if p.Addr().Is4() && !p.Addr().IsLoopback() {
			list = append(list, p.Addr().String())
		}
	}
	require.NotEmpty(t, list)
	return list
}

// previewAddress is where a deployment's container listens.
func previewAddress(t *testing.T, deployment string) string {
	t.Helper()
	id, err := exec.Command("docker", "ps", "--quiet", "--filter", "label=slipway.deployment="+deployment).Output()
	require.NoError(t, err)
	address, err := exec.Command("docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", strings.TrimSpace(string(id))).Output()
	require.NoError(t, err)
	return net.JoinHostPort(strings.TrimSpace(string(address)), "3000")
}

// dialFrom has an app connect to addresses, and returns what came of each. Every preview of this system adds an address, and what an app
// reads of a URL has a bound: 16 KiB with Node.js.
func dialFrom(t *testing.T, app string, to ...string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for some := range slices.Chunk(to, 200) {
		status, body := dev.get(t, app+"/dial?to="+url.QueryEscape(strings.Join(some, ",")))
		require.Equal(t, http.StatusOK, status, body)
		require.NoError(t, json.Unmarshal([]byte(body), &answers), body)
	}
	require.Len(t, answers, len(to))
	return answers
}
