package devservertest

// FreeAddr chooses an address for a test's second listener.
var FreeAddr = freeAddr

// StartTwin starts a second server on the file of s and returns why it could not become ready.
func (s *Server) StartTwin() error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	return (&Server{Addr: addr, binary: s.binary, dir: s.dir}).launch()
}
