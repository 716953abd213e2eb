package buildkit

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLineSplitter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pieces []string
		want   []string
	}{
		"lines in one piece":   {[]string{"a\nb\n"}, []string{"a", "b"}},
		"a line in two pieces": {[]string{"hel", "lo\nwor", "ld"}, []string{"hello", "world"}},
		"empty lines stay":     {[]string{"a\n\nb\n"}, []string{"a", "", "b"}},
		"windows ends":         {[]string{"a\r\nb\r", "\n"}, []string{"a", "b"}},
		"progress bar":         {[]string{"1%\r2%\r", "3%\r\n", "next\n"}, []string{"3%", "next"}},
		"bar without an end":   {[]string{"1%\r2%\r"}, []string{"2%"}},
		"bar, then text":       {[]string{"99%\rdone\n"}, []string{"done"}},
		"not UTF-8":            {[]string{"a\xffb\n"}, []string{"a\ufffdb"}},
		"long stays whole":     {[]string{strings.Repeat("x", maxLine-1), "y\nz\n"}, []string{strings.Repeat("x", maxLine-1) + "y", "z"}},
		"too long":             {[]string{strings.Repeat("x", maxLine) + "tail", "more\nnext\n"}, []string{strings.Repeat("x", maxLine), "next"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s lineSplitter
			var got []string
			for _, piece := range c.pieces {
				got = append(got, s.write([]byte(piece))...)
			}
			require.Equal(t, c.want, append(got, s.rest()...))
		})
	}
}

func TestSecretsFingerprint(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, in := range []struct {
		scope   string
		secrets map[string]string
	}{
		{"p", map[string]string{"A": "1", "B": "2"}},
		{"q", map[string]string{"A": "1", "B": "2"}},
		{"p", map[string]string{"A": "1", "B": "3"}},
		{"p", map[string]string{"A": "1\"\n\"B\"=\"2"}},
	} {
		fingerprint, err := secretsFingerprint(in.scope, in.secrets)
		require.NoError(t, err)
		require.False(t, seen[fingerprint])
		seen[fingerprint] = true
		again, err := secretsFingerprint(in.scope, in.secrets)
		require.NoError(t, err)
		require.Equal(t, fingerprint, again)
	}
}

func TestCommandOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"[2/5] RUN npm ci": "RUN npm ci",
		"[stage-1  3/11] RUN --mount=type=cache,id=x,target=/y --network=none npm ci --omit=dev": "RUN npm ci --omit=dev",
		"exporting to image": "exporting to image",
	} {
		require.Equal(t, want, commandOf(name))
	}
}

// As the daemon takes them over: what steps cannot use is left out, and a stub of systemd's leads to what it asks itself.
func TestHostResolvers(t *testing.T) {
	t.Parallel()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "resolv.conf")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	systemd := file("nameserver 10.0.0.53\nnameserver fd00::53\n")
	for name, c := range map[string]struct {
		usual string
		want  []netip.Addr
	}{
		"as they are": {file("nameserver 192.168.1.1\nnameserver 127.0.0.1\nnameserver 9.9.9.9\n"), []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("9.9.9.9")}},
		"systemd's":   {file("nameserver 127.0.0.53\noptions edns0\n"), []netip.Addr{netip.MustParseAddr("10.0.0.53")}},
		"no file":     {filepath.Join(t.TempDir(), "none"), nil},
	} {
		got, err := hostResolvers(c.usual, systemd)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}
