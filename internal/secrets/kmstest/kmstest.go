// Package kmstest runs a server with the API of AWS KMS for tests: local-kms, with real encryption and keys of its own.
package kmstest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

// patience is how long the server may take to start.
const patience = 30 * time.Second

// Server is a KMS on this machine.
type Server struct {
	program string
	dir     string
	port    string
	command *exec.Cmd
	exited  <-chan struct{}
}

// Start starts a KMS, which ends with the test, and points the AWS SDK of this process to it: the test may not be parallel.
func Start(t *testing.T) *Server {
	t.Helper()
	program, err := testbed.Tool("local-kms", "local-kms")
	require.NoError(t, err)
	free, err := testbed.FreePorts(1)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(free[0])
	require.NoError(t, err)
	s := &Server{program: program, dir: t.TempDir(), port: port}
	s.Restart(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": s.url(), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_MAX_ATTEMPTS": "1", // the pauses between attempts prove nothing
		"AWS_CONFIG_FILE":  filepath.Join(s.dir, "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(s.dir, "none"),
	} {
		t.Setenv(name, value)
	}
	return s
}

// Restart starts the server again after Stop, with the same address and keys.
func (s *Server) Restart(t *testing.T) {
	t.Helper()
	s.command = exec.Command(s.program)
	s.command.Env = append(os.Environ(), "PORT="+s.port, "KMS_DATA_PATH="+s.dir, "KMS_SEED_PATH="+filepath.Join(s.dir, "none"), "KMS_REGION=eu-west-1")
	output, input := io.Pipe()
	s.command.Stderr = input
	var err error
	s.exited, err = testbed.Start(s.command, syscall.SIGKILL)
	require.NoError(t, err)
	t.Cleanup(func() { s.Stop() })
	listens := make(chan struct{}, 1)
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if strings.Contains(lines.Text(), "Local KMS started on ") {
				listens <- struct{}{}
			}
		}
	}()
	select {
	case <-listens:
	case <-s.exited:
		t.Fatalf("local-kms ended: %s", s.command.ProcessState)
	case <-time.After(patience):
		t.Fatalf("local-kms does not listen after %s", patience)
	}
}

// Stop ends the server: KMS is away.
func (s *Server) Stop() {
	_ = s.command.Process.Kill() // it may have ended
	<-s.exited
}

// NewKey makes a key and returns its URI, as tink writes it.
func (s *Server) NewKey(t *testing.T) string {
	t.Helper()
	var made struct{ KeyMetadata struct{ Arn string } }
	s.call(t, "CreateKey", map[string]string{}, &made)
	return "aws-kms://" + made.KeyMetadata.Arn
}

// Disable makes a key refuse everything.
func (s *Server) Disable(t *testing.T, uri string) {
	t.Helper()
	s.call(t, "DisableKey", map[string]string{"KeyId": uri[len("aws-kms://"):]}, nil)
}

func (s *Server) url() string { return "http://127.0.0.1:" + s.port }

func (s *Server) call(t *testing.T, action string, body, answer any) {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url(), bytes.NewReader(data))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService."+action)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", action, data)
	if answer != nil {
		require.NoError(t, json.Unmarshal(data, answer))
	}
}
