package buildkittest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/moby/buildkit/client"
)

// Restart ends buildkitd in order and starts it again on its state. A second later it collects its garbage, which it does once a
// minute at most otherwise.
func (s *Stack) Restart(ctx context.Context) error {
	if err := s.endDaemon(); err != nil {
		return err
	}
	return s.startDaemon(ctx)
}

// Close ends buildkitd and the registry, takes the network away, removes what was pushed and frees the place.
func (s *Stack) Close(ctx context.Context) error {
	var errs []error
	if s.Process != nil {
		s.forgetMounts(ctx)
		errs = append(errs, s.endDaemon())
		errs = append(errs, s.config.Sweep(ctx), s.config.Unisolate(ctx))
	}
	if s.empty {
		errs = append(errs, os.RemoveAll(s.config.Root))
	}
	if s.stop != nil {
		errs = append(errs, s.untag(ctx))
		s.stop()
		errs = append(errs, <-s.stopped)
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}

// forgetMounts removes the cache mounts of this run's projects, which no later run has: a mount that was used within a week outlives
// layers, and those of a few runs would leave no room for the base images. What a daemon that has ended keeps, the next one removes.
func (s *Stack) forgetMounts(ctx context.Context) {
	if s.kept {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.New(ctx, s.Address)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.Prune(ctx, nil, client.PruneAll, client.Filter{"type==exec.cachemount"})
}

// pushed is the repository whose images do not outlive a Stack.
const pushed = "test"

// untag removes the names of what tests have pushed, in runs that were killed too: the registry frees the layers when it starts
// again.
func (s *Stack) untag(ctx context.Context) error {
	repository, err := name.NewRepository(s.Registry+"/"+pushed, name.Insecure)
	if err != nil {
		return err
	}
	tags, err := remote.List(repository, remote.WithContext(ctx))
	var answer *transport.Error
	if err != nil && (!errors.As(err, &answer) || answer.StatusCode != http.StatusNotFound) {
		return err
	}
	for _, tag := range tags {
		if err := s.Client().Delete(ctx, pushed+":"+tag); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) endDaemon() error {
	if err := s.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(time.Minute):
	}
	_ = s.Process.Kill() // it may have ended just now
	<-s.ended
	return errors.New("buildkitd did not end by itself")
}
