package buildkit_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/buildkit/buildkittest"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/registry"
)

// A registry that wants a password gets the operator's, for a push and for a base image, through the session alone.
func TestLoginsOfRegistries(t *testing.T) {
	t.Parallel()
	password := "pass-" + uuid.NewString()
	host := buildkittest.PrivateRegistry(t, "robot", password)
	own := buildkittest.StartEmpty(t, 1<<30)
	with := func(logins func() (deployment.RegistryLogins, error)) *buildkit.Builder {
		b, err := buildkit.New(t.Context(), buildkit.Options{Address: own.Address, RegistryInsecure: true, Logins: logins})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		return b
	}
	build := func(base string) (deployment.BuildRequest, *transcript) {
		r := request(t, "FROM "+base+"\nRUN echo made > /made # "+uuid.NewString()+"\n", nil)
		r.Image = host + "/team/app:" + r.Ref
		return r, &transcript{}
	}
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(password string) {
		content := `{"auths": {"http://` + host + `/v2/": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("robot:"+password)) + `"}}}`
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	write("wrong-" + password)
	read := func() (deployment.RegistryLogins, error) { return registry.ReadLogins(file) }
	operator := with(read)

	var told []string
	refused := func(b *buildkit.Builder, base, code string) {
		t.Helper()
		r, s := build(base)
		_, err := b.Solve(t.Context(), r, s)
		var f *deployment.Failure
		require.ErrorAs(t, err, &f)
		require.Equal(t, code, f.Code, f.Message)
		told = append(told, f.Error(), f.Fix, s.text())
	}
	refused(with(nil), "debian:bookworm-slim", "build.push_denied")
	refused(operator, "debian:bookworm-slim", "build.push_denied")

	write(password) // it is renewed while the worker runs
	first, s := build("debian:bookworm-slim")
	out, err := operator.Solve(t.Context(), first, s)
	require.NoError(t, err, s.text())
	told = append(told, s.text())
	client := registry.Client{Host: host, Insecure: true, Logins: read}
	digest, err := client.Digest(t.Context(), first.Image)
	require.NoError(t, err)
	require.Equal(t, out.Digest, digest)
	_, err = registry.Client{Host: host, Insecure: true}.Digest(t.Context(), first.Image)
	require.Error(t, err, "nobody else sees it")

	second, s := build(first.Image)
	_, err = operator.Solve(t.Context(), second, s)
	require.NoError(t, err, s.text())
	told = append(told, s.text())
	refused(with(nil), second.Image, "build.base_image_denied")

	broken := with(func() (deployment.RegistryLogins, error) { return nil, errors.New("is no config.json") })
	refused(broken, "debian:bookworm-slim", "build.logins_unreadable")

	for _, text := range told {
		require.NotContains(t, text, password)
		require.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte("robot:"+password)))
	}
	require.NoError(t, own.Restart(t.Context()), "what the daemon keeps is on its disk now")
	require.NotEmpty(t, filesThatHold(t, own.Config().Root, host), "what the daemon does keep is found")
	require.Empty(t, filesThatHold(t, own.Config().Root, password), "the daemon keeps it")
}

// filesThatHold names the files of a folder that hold text. Files that a running daemon removes meanwhile are passed over.
func filesThatHold(t *testing.T, folder, text string) string {
	t.Helper()
	found, err := exec.CommandContext(t.Context(), "grep", "-rlsF", text, folder).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(found)
}

// A registry with a token server: the password goes to that server, from the worker, and the daemon gets the token.
func TestLoginsOfARegistryWithTokens(t *testing.T) {
	t.Parallel()
	password, token := "pass-"+uuid.NewString(), uuid.NewString()
	target, err := url.Parse("http://" + stack.Registry)
	require.NoError(t, err)
	var mu sync.Mutex
	asked := map[string]int{} // by what was sent
	note := func(what string) { mu.Lock(); defer mu.Unlock(); asked[what]++ }
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		user, given, basic := r.BasicAuth()
		if !basic {
			user, given = r.FormValue("username"), r.FormValue("password")
		}
		if user != "robot" || given != password {
			note("refused")
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		note("password")
		_, _ = fmt.Fprintf(w, `{"token": %q, "access_token": %q, "expires_in": 300}`, token, token)
	})
	proxy := httputil.NewSingleHostReverseProxy(target)
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, r *http.Request) {
		switch sent := r.Header.Get("Authorization"); sent {
		case "Bearer " + token:
			note("token")
			r.Header.Del("Authorization")
			proxy.ServeHTTP(w, r)
		default:
			if sent != "" {
				note("something else")
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+server.URL+`/token",service="registry"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}
	})
	host := strings.TrimPrefix(server.URL, "http://")
	b, err := buildkit.New(t.Context(), buildkit.Options{Address: stack.Address, RegistryInsecure: true, Logins: func() (deployment.RegistryLogins, error) {
		return deployment.RegistryLogins{host: {Username: "robot", Password: password}}, nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	r, s := request(t, "FROM "+host+"/library/debian:bookworm-slim\nRUN echo # "+uuid.NewString()+"\n", nil), &transcript{}
	r.Image = host + "/test:" + r.Ref
	_, err = b.Solve(t.Context(), r, s)
	require.NoError(t, err, s.text())
	mu.Lock()
	defer mu.Unlock()
	require.NotZero(t, asked["password"])
	require.NotZero(t, asked["token"])
	require.Zero(t, asked["refused"], asked)
	require.Zero(t, asked["something else"], "the registry itself is not sent the password: %v", asked)
}
