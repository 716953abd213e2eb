package testbed

import (
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// In calls do in a named network namespace, where the sockets belong that it makes itself. The thread that was in it is not used again.
func In(namespace string, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		file, err := os.Open("/run/netns/" + namespace)
		if err != nil {
			done <- err
			return
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// ListenIn listens for TCP in a named network namespace.
func ListenIn(namespace, address string) (listener net.Listener, err error) {
	err = In(namespace, func() error {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	return listener, err
}
