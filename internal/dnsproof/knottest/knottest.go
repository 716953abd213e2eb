// Package knottest runs Knot DNS, a name server that takes dynamic updates signed with a key, for tests of who makes records.
package knottest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/testbed"
)

// Zone is what the server is authoritative for. Each name in it that has no other record leads to 127.0.0.1, and
// _acme-challenge.delegated.example.test is an alias of a name below acme.example.test.
const Zone = "example.test"

// The names of the keys: of one that may change all of the zone, and of one that may change what is below acme.example.test.
const (
	Key          = "all"
	DelegatedKey = "delegated"
)

// Server is a name server on loopback.
type Server struct {
	Addr, Port string // host:port, UDP and TCP; and the port
	Secret     string // of either key

	command *exec.Cmd
	ended   chan struct{}
	dir     string
	log     bytes.Buffer // to be read once it has ended
}

// shared is the server of a test's process: who lego asks is set for a whole process.
var shared struct {
	sync.Mutex
	server *Server
}

// Shared returns the process' server; Stop ends it.
func Shared(t *testing.T) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		var err error
		shared.server, err = start()
		require.NoError(t, err)
	}
	return shared.server
}

// Stop ends the process' server, if there is one. It is for TestMain.
func Stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.stop()
		shared.server = nil
	}
}

// start tries a few ports: one that is free when it is looked for may be taken a moment later.
func start() (*Server, error) {
	knotd, err := testbed.Tool("knot", "knotd")
	if err != nil {
		return nil, err
	}
	for range 5 {
		var s *Server
		if s, err = startAt(knotd); err == nil {
			return s, nil
		}
	}
	return nil, err
}

const configuration = `server:
    rundir: %[1]s
    listen: 127.0.0.1@%[2]s
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: %[1]s
    journal-db-max-size: 16M
    kasp-db-max-size: 5M
    timer-db-max-size: 5M
log:
  - target: stderr
    any: info
key:
  - id: all
    algorithm: hmac-sha256
    secret: %[3]s
  - id: delegated
    algorithm: hmac-sha256
    secret: %[3]s
acl:
  - id: all
    key: all
    action: update
  - id: delegated
    key: delegated
    action: update
    update-owner: name
    update-owner-match: sub
    update-owner-name: acme
zone:
  - domain: example.test
    file: %[1]s/zone
    acl: [all, delegated]
    zonefile-sync: -1
`

const zoneFile = `$ORIGIN example.test.
$TTL 60
@ SOA ns hostmaster %d 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
* A 127.0.0.1
_acme-challenge.delegated CNAME delegated.acme
`

func startAt(knotd string) (*Server, error) {
	dir, err := os.MkdirTemp("", "knot") // a short path: its socket lies there
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<31))
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: listener.Addr().String(), Secret: base64.StdEncoding.EncodeToString(secret), dir: dir}
	_, s.Port, _ = net.SplitHostPort(s.Addr)
	listener.Close()
	path := filepath.Join(dir, "knot.conf")
	err = errors.Join(os.WriteFile(path, fmt.Appendf(nil, configuration, dir, s.Port, s.Secret), 0o600),
		os.WriteFile(filepath.Join(dir, "zone"), fmt.Appendf(nil, zoneFile, serial), 0o600))
	if err != nil {
		return nil, err
	}
	s.command = exec.Command(knotd, "-c", path)
	s.command.Stdout, s.command.Stderr = &s.log, &s.log
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = s.command.Wait() // how it ended its log says
	}()
	if err := s.answers(uint32(serial.Int64())); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w; its log: %s", err, s.log.String())
	}
	return s, nil
}

// answers returns when the server has the zone with this serial number, which no other has.
func (s *Server) answers(serial uint32) error {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		var answer *dns.Msg
		answer, err = dns.Exchange(new(dns.Msg).SetQuestion(Zone+".", dns.TypeSOA), s.Addr)
		if err == nil && len(answer.Answer) == 1 {
			if soa, is := answer.Answer[0].(*dns.SOA); is && soa.Serial == serial {
				return nil
			}
			return errors.New("another server has the port")
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.ended:
			return errors.New("knotd has ended")
		}
	}
	return fmt.Errorf("knotd does not answer: %w", err)
}

func (s *Server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	<-s.ended
	_ = os.RemoveAll(s.dir)
}

// TXT returns the TXT records of a name, as the server has them now.
func (s *Server) TXT(t *testing.T, name string) []string {
	t.Helper()
	answer, err := dns.Exchange(new(dns.Msg).SetQuestion(name+".", dns.TypeTXT), s.Addr)
	require.NoError(t, err)
	values := []string{}
	for _, record := range answer.Answer {
		if txt, is := record.(*dns.TXT); is {
			values = append(values, txt.Txt...)
		}
	}
	return values
}

// Credentials are those of a key of the server's, as slipway takes them.
func (s *Server) Credentials(key string) map[string]string {
	return map[string]string{"DNSUPDATE_NAMESERVER": s.Addr, "DNSUPDATE_TSIG_KEY": key, "DNSUPDATE_TSIG_SECRET": s.Secret}
}
