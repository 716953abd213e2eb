package devservertest

import "github.com/slipway-dev/slipway/internal/testbed"

// StartTwin starts a second server on the file of s and returns why it could not become ready.
func (s *Server) StartTwin() error {
	addrs, err := testbed.FreePorts(1)
	if err != nil {
		return err
	}
	return (&Server{Addr: addrs[0], binary: s.binary, dir: s.dir}).launch()
}
