// Package domainstest serves DNS on loopback, for tests of what asks it.
package domainstest

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// Server answers for every name: A records are 127.0.0.1 for the names of Host, TXT records those of TXT, and all else has none.
type Server struct {
	Addr string // host:port, UDP and TCP

	mu     sync.Mutex
	txt    map[string][]string
	hosts  map[string]bool
	broken bool
	asked  []string
}

// New starts a Server that ends with the test.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{txt: map[string][]string{}, hosts: map[string]bool{}}
	packets, listener := samePort(t)
	s.Addr = packets.LocalAddr().String()
	handler := dns.HandlerFunc(s.answer)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}} {
		begun, ended := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(begun) }
		go func() {
			defer close(ended)
			_ = server.ActivateAndServe() // its end is the test's
		}()
		<-begun
		t.Cleanup(func() {
			_ = server.Shutdown()
			<-ended
		})
	}
	return s
}

// samePort listens on a port of both UDP and TCP. A port that is free in one of them may be taken in the other.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	var err error
	for range 20 {
		listener, listenErr := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, listenErr)
		var packets net.PacketConn
		if packets, err = net.ListenPacket("udp", listener.Addr().String()); err == nil {
			return packets, listener
		}
		require.NoError(t, listener.Close())
	}
	require.NoError(t, err)
	return nil, nil
}

// TXT sets the values of a name's TXT records, one record each.
func (s *Server) TXT(name string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txt[name] = values
}

// Host makes a name lead to 127.0.0.1.
func (s *Server) Host(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[name] = true
}

// Break makes the server answer SERVFAIL to everything, or not any more.
func (s *Server) Break(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// Asked returns the questions so far, such as "TXT example.com".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.asked...)
}

func (s *Server) answer(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := new(dns.Msg).SetReply(question)
	m.RecursionAvailable = true
	for _, q := range question.Question {
		name := strings.ToLower(strings.TrimSuffix(q.Name, "."))
		s.asked = append(s.asked, dns.TypeToString[q.Qtype]+" "+name)
		header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET}
		switch {
		case s.broken:
			m.Rcode = dns.RcodeServerFailure
		case q.Qtype == dns.TypeTXT:
			for _, value := range s.txt[name] {
				m.Answer = append(m.Answer, &dns.TXT{Hdr: header, Txt: []string{value}})
			}
		case q.Qtype == dns.TypeA && s.hosts[name]:
			m.Answer = append(m.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
		}
	}
	_ = w.WriteMsg(m) // who asked and went away has no need of it
}
