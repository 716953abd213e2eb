package testbed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports that are given out: above those of well-known services, and below those that Linux gives to connections (32768 and up, ip(7)),
// one of which would otherwise take a port before the program listens that it was meant for.
const (
	firstPort = 12_000
	pastPort  = 32_000
)

// FreePorts returns n different addresses on the loopback that nobody listens on just now.
func FreePorts(n int) ([]string, error) {
	var addrs []string
	for len(addrs) < n {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(pastPort-firstPort)))
		l, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // when all are found: no two are the same
		addrs = append(addrs, addr)
	}
	return addrs, nil
}
