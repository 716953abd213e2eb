package buildkittest

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// Close ends buildkitd and the registry, takes the network away and frees the place.
func (s *Stack) Close(ctx context.Context) error {
	var errs []error
	if s.Process != nil {
		errs = append(errs, s.endDaemon())
		errs = append(errs, s.config.Sweep(ctx), s.config.Unisolate(ctx))
	}
	if s.stop != nil {
		s.stop()
		errs = append(errs, <-s.stopped)
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}

func (s *Stack) endDaemon() error {
	if err := s.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(20 * time.Second):
	}
	_ = s.Process.Kill() // it may have ended just now
	<-s.ended
	return errors.New("buildkitd did not end by itself")
}
