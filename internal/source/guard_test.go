package source_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/gitserve/gitservetest"
	"github.com/slipway-dev/slipway/internal/source"
)

func TestCheckURLRefusesAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	for _, host := range []string{
		"127.0.0.1", "127.9.9.9", "localhost", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.1.1",
		"100.100.100.200", "198.18.0.1", "224.0.0.1", "255.255.255.255", "168.63.129.16",
		"[::1]", "[::]", "[fe80::1]", "[fe80::1%25lo]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]",
		"[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]", "[2002:7f00:1::1]", "[2002:a00:1::]", "[2001:0:1::1]",
	} {
		fault := client.CheckURL(t.Context(), "https://"+host+"/app.git")
		require.NotNil(t, fault, host)
		require.Equal(t, "repo_url", fault.Field)
		require.Contains(t, fault.Fault, "public", host)
		require.NotEmpty(t, fault.Fix)
		require.NotNil(t, client.CheckURL(t.Context(), "ssh://git@"+host+"/app.git"), host)
	}
	for _, host := range []string{"8.8.8.8", "[2606:4700:4700::1111]", "[64:ff9b::8.8.8.8]", "[2002:808:808::1]", "100.63.255.255"} {
		require.Nil(t, client.CheckURL(t.Context(), "https://"+host+"/app.git"), host)
	}
}

func TestCheckURLChecksShapeAndScheme(t *testing.T) {
	t.Parallel()
	client := newClient(t, "http://127.0.0.1:41234")
	require.Nil(t, client.CheckURL(t.Context(), "http://127.0.0.1:41234/app.git"))
	for _, raw := range []string{
		"", "file:///etc/passwd", "git://8.8.8.8/x", "ext::sh -c id", "/etc", "http://8.8.8.8/app.git", "https://u:p@8.8.8.8/app.git",
		"http://127.0.0.1:41235/app.git", "https://127.0.0.1:41234/app.git", "http://localhost:41234/app.git", "http://127.0.0.1/app.git",
		"http://127.0.0.1:41234@10.0.0.1/app.git",
	} {
		require.NotNil(t, client.CheckURL(t.Context(), raw), raw)
	}
}

func TestCheckURLSaysThatANameDoesNotResolve(t *testing.T) {
	t.Parallel()
	fault := newClient(t).CheckURL(t.Context(), "https://no-such-host.invalid/app.git")
	require.NotNil(t, fault)
	require.Contains(t, fault.Fault, "does not resolve")
}

func TestAllowNetsOpensTheGuard(t *testing.T) {
	t.Parallel()
	client, err := source.New(source.Options{AllowNets: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
	require.NoError(t, err)
	require.Nil(t, client.CheckURL(t.Context(), "https://10.1.2.3/app.git"))
	require.Nil(t, client.CheckURL(t.Context(), "https://[::ffff:10.1.2.3]/app.git"))
	require.NotNil(t, client.CheckURL(t.Context(), "https://10.2.2.3/app.git"))
}

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := source.New(source.Options{AllowSchemes: []string{"file"}, TrustedOrigins: []string{"127.0.0.1:1", "http://u@h/"}, MaxBytes: -1})
	require.ErrorContains(t, err, `scheme "file"`)
	require.ErrorContains(t, err, `trusted origin "127.0.0.1:1"`)
	require.ErrorContains(t, err, `trusted origin "http://u@h/"`)
	require.ErrorContains(t, err, "negative")
}

func TestConnectionsAreGuardedNotOnlyURLs(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, server)
	client, err := source.New(source.Options{AllowSchemes: []string{"http"}})
	require.NoError(t, err)
	byName := strings.Replace(h.repo.URL, "127.0.0.1", "localhost", 1)
	for _, raw := range []string{h.repo.URL, byName} {
		_, _, err = client.Resolve(t.Context(), at(raw), deployment.Ref{})
		requireFailure(t, err, deployment.ClassUser, "source.address_refused")
		dir := t.TempDir()
		err = client.Fetch(t.Context(), at(raw), h.third, deployment.Ref{}, dir, nil)
		requireFailure(t, err, deployment.ClassUser, "source.address_refused")
		requireEmpty(t, dir)
	}

	other := newClient(t, server.URL)
	_, _, err = other.Resolve(t.Context(), at(h.repo.URL), deployment.Ref{})
	require.NoError(t, err, "another client of the same process has a guard of its own")
}

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1) }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	// The proxy itself would pass the guard, so that it is asked if it is used at all.
	client, err := source.New(source.Options{AllowSchemes: []string{"http"}, AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	require.NoError(t, err)
	_, _, err = client.Resolve(t.Context(), at("http://192.168.77.77/app.git"), deployment.Ref{})
	requireFailure(t, err, deployment.ClassUser, "source.address_refused")
	require.Zero(t, asked.Load())
}

// redirector answers every request with a redirect to target followed by the request's path and query.
func redirector(t *testing.T, target string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestRedirectToATrustedOriginIsFollowed(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	h := newHistory(t, server)
	front := redirector(t, server.URL)
	client := newClient(t, server.URL, front.URL)
	commit, _, err := client.Resolve(t.Context(), at(front.URL+"/app.git"), deployment.Ref{})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, client.Fetch(t.Context(), at(front.URL+"/app.git"), commit, deployment.Ref{}, dir, nil))
	require.Equal(t, h.third, commit)
	require.Contains(t, listing(t, dir), "n")
}

func TestRedirectsAreGuarded(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(inside.Close)
	insideURL, err := url.Parse(inside.URL)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		target  string
		schemes []string
		code    string
	}{
		"loopback":      {inside.URL, []string{"http"}, "source.address_refused"},
		"name":          {"http://localhost:" + insideURL.Port(), []string{"http"}, "source.address_refused"},
		"metadata":      {"http://169.254.169.254", []string{"http"}, "source.address_refused"},
		"scheme http":   {inside.URL, []string{"https"}, "source.redirect_refused"},
		"scheme file":   {"file:///etc", []string{"https"}, "source.redirect_refused"},
		"another https": {"https://" + insideURL.Host, []string{"https"}, "source.address_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := redirector(t, test.target)
			client, err := source.New(source.Options{AllowSchemes: test.schemes, TrustedOrigins: []string{front.URL}})
			require.NoError(t, err)
			_, _, err = client.Resolve(t.Context(), at(front.URL+"/app.git"), deployment.Ref{})
			requireFailure(t, err, deployment.ClassUser, test.code)
			require.Zero(t, asked.Load())
		})
	}
}

func TestARedirectBringsNoCredentials(t *testing.T) {
	t.Parallel()
	var authorized, asked atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			authorized.Add(1)
		}
		if !strings.HasPrefix(r.URL.Path, "/again") {
			http.Redirect(w, r, "http://u:secret@"+r.Host+"/again"+r.URL.RequestURI(), http.StatusFound)
		}
	}))
	t.Cleanup(target.Close)
	front := redirector(t, strings.Replace(target.URL, "http://", "http://u:secret@", 1))
	client := newClient(t, front.URL, target.URL)

	for _, from := range []string{front.URL, target.URL} {
		_, _, err := client.Resolve(t.Context(), at(from+"/app.git"), deployment.Ref{})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	}
	requireFailure(t, func() error {
		_, _, err := client.Resolve(t.Context(), at(target.URL+"/app.git"), deployment.Ref{})
		return err
	}(), deployment.ClassUser, "source.redirect_refused")
	require.NotZero(t, asked.Load())
	require.Zero(t, authorized.Load(), "no request carried credentials")
}

func TestRedirectsAreCounted(t *testing.T) {
	t.Parallel()
	server := gitservetest.New(t, gitserve.Options{})
	newHistory(t, server)
	var hops atomic.Int32
	var front *httptest.Server
	front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		http.Redirect(w, r, fmt.Sprintf("%s/%d%s", front.URL, hops.Load(), "/info/refs?"+r.URL.RawQuery), http.StatusFound)
	}))
	t.Cleanup(front.Close)
	_, _, err := newClient(t, front.URL).Resolve(t.Context(), at(front.URL+"/app.git"), deployment.Ref{})
	requireFailure(t, err, deployment.ClassUser, "source.redirect_refused")
	require.EqualValues(t, 6, hops.Load(), "the first request and five redirects")
}

func TestAConnectionThatNeverAnswersEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	silent := "http://" + listener.Addr().String()
	client, err := source.New(source.Options{TrustedOrigins: []string{silent}, Timeout: 200_000_000})
	require.NoError(t, err)
	_, _, err = client.Resolve(t.Context(), at(silent+"/app.git"), deployment.Ref{})
	requireFailure(t, err, deployment.ClassTransient, "source.timeout")
}
