package testbed

import (
	"path/filepath"

	"github.com/gofrs/flock"
)

// MetadataAddress is where clouds tell machines of themselves.
const MetadataAddress = "169.254.169.254"

// TakeMetadataAddress waits until no other test of this machine leads MetadataAddress somewhere, and keeps it until release: of two
// routes to it the machine takes one.
func TakeMetadataAddress() (release func() error, err error) {
	cache, err := Cache()
	if err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(cache, "metadata-address.lock"))
	return lock.Unlock, lock.Lock()
}
