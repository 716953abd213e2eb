package certificates

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Assets keeps values by keys that are paths, encrypted, and says who may work on what.
type Assets interface {
	SaveAsset(ctx context.Context, key string, value []byte) error
	Asset(ctx context.Context, key string) ([]byte, error) // deployment.ErrNotFound when there is none
	// DeleteAssets removes a key and all keys below it.
	DeleteAssets(ctx context.Context, key string) error
	// AssetKeys lists the keys below a key, those of everything for "".
	AssetKeys(ctx context.Context, below string) ([]string, error)
	AssetInfo(ctx context.Context, key string) (size int64, modified time.Time, err error)
	// HasAsset reports whether there is a key, or one below it.
	HasAsset(ctx context.Context, key string) (bool, error)
	// TakeLock gives a lock to a holder for as long as the lease, unless another one has it; its holder takes it anew to keep it.
	TakeLock(ctx context.Context, name, holder string, lease time.Duration) (bool, error)
	DropLock(ctx context.Context, name, holder string) error
}

// A holder that is not heard of for the lease has lost its lock. It says so often enough that a slow answer or two do no harm.
const (
	lockLease = 15 * time.Second
	lockPause = 500 * time.Millisecond // between two attempts to take a lock that another holds
)

// Storage is certmagic's storage in Assets.
type Storage struct {
	assets Assets
	lease  time.Duration

	mu   sync.Mutex
	held map[string]*lock
}

// lock is one that this process holds.
type lock struct {
	holder string // of this one hold: two parts of a process do not share a lock
	stop   context.CancelFunc
	ended  chan struct{}
}

var _ certmagic.Storage = (*Storage)(nil)

// NewStorage returns a Storage.
func NewStorage(a Assets) *Storage {
	return &Storage{assets: a, lease: lockLease, held: map[string]*lock{}}
}

// MarshalText is what a log shows of it.
func (s *Storage) MarshalText() ([]byte, error) { return []byte("postgres"), nil }

// Store keeps a value.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	return s.assets.SaveAsset(ctx, key, value)
}

// Load returns a value.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.assets.Asset(ctx, key)
	return value, asFile(err)
}

// Delete removes a key and what is below it.
func (s *Storage) Delete(ctx context.Context, key string) error {
	return s.assets.DeleteAssets(ctx, key)
}

// Exists reports whether there is a key or one below it.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	has, err := s.assets.HasAsset(ctx, key)
	return err == nil && has
}

// List returns the keys below a key: all of them, or those one step below, which may be folders.
func (s *Storage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	path = strings.Trim(path, "/")
	keys, err := s.assets.AssetKeys(ctx, path)
	if err != nil || len(keys) == 0 {
		return nil, errors.Join(err, notThere(err == nil))
	}
	if recursive {
		return keys, nil
	}
	for i, key := range keys {
		step, _, _ := strings.Cut(strings.TrimPrefix(key[len(path):], "/"), "/")
		keys[i] = strings.TrimPrefix(path+"/"+step, "/")
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func notThere(is bool) error {
	if is {
		return fs.ErrNotExist
	}
	return nil
}

// Stat tells of a key, or a folder of keys.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	size, modified, err := s.assets.AssetInfo(ctx, key)
	switch {
	case err == nil:
		return certmagic.KeyInfo{Key: key, Size: size, Modified: modified, IsTerminal: true}, nil
	case errors.Is(err, deployment.ErrNotFound) && s.Exists(ctx, key):
		return certmagic.KeyInfo{Key: key}, nil
	default:
		return certmagic.KeyInfo{}, asFile(err)
	}
}

// Lock waits for a lock and keeps it until Unlock, or until the process is gone for as long as the lease.
func (s *Storage) Lock(ctx context.Context, name string) error {
	holder := rand.Text()
	for {
		taken, err := s.assets.TakeLock(ctx, name, holder, s.lease)
		if err != nil {
			return fmt.Errorf("lock %s: %w", name, errors.Join(err, context.Cause(ctx)))
		}
		if taken {
			s.keep(ctx, name, holder)
			return nil
		}
		select {
		case <-time.After(min(lockPause, s.lease/3)):
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", name, context.Cause(ctx))
		}
	}
}

// keep takes a lock again and again. One that is lost all the same is another's: certmagic's work is such that two may do it, and
// looks before it orders.
func (s *Storage) keep(ctx context.Context, name, holder string) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lock{holder: holder, stop: stop, ended: make(chan struct{})}
	s.mu.Lock()
	s.held[name] = l
	s.mu.Unlock()
	go func() {
		defer close(l.ended)
		for {
			select {
			case <-time.After(s.lease / 3):
			case <-ctx.Done():
				return
			}
			attempt, cancel := context.WithTimeout(ctx, s.lease/3)
			taken, err := s.assets.TakeLock(attempt, name, holder, s.lease)
			cancel()
			if err == nil && !taken {
				return
			}
		}
	}()
}

// Unlock gives a lock back.
func (s *Storage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	l := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("unlock %s: it is not held", name)
	}
	l.stop()
	<-l.ended
	if err := s.assets.DropLock(ctx, name, l.holder); err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}

// asFile says "not found" in certmagic's words.
func asFile(err error) error {
	if errors.Is(err, deployment.ErrNotFound) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
