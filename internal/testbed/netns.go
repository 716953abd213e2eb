package testbed

import (
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ListenIn listens for TCP in a named network namespace: a socket belongs to the namespace in which it was made. The thread that was
// in it is not used again.
func ListenIn(namespace, address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		file, err := os.Open("/run/netns/" + namespace)
		if err != nil {
			made <- result{err: err}
			return
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			made <- result{err: err}
			return
		}
		listener, err := net.Listen("tcp4", address)
		made <- result{listener, err}
	}()
	r := <-made
	return r.listener, r.err
}
