package secrets

import (
	"context"
	"encoding/binary"

	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
)

// Key is one of a keyset, without what is secret of it.
type Key struct {
	ID    uint32
	State KeyState
}

// KeyState says what a key is for.
type KeyState string

// Keys are prepared (every process may read what others seal with it), then primary (everything is sealed with it), then old.
const (
	Prepared KeyState = "prepared"
	Primary  KeyState = "primary"
	Old      KeyState = "old"
)

// PrefixLength is how many bytes of what Encrypt returns name the key.
const PrefixLength = cryptofmt.TinkPrefixSize

// Prefix is what everything that the key has sealed begins with.
func (k Key) Prefix() []byte {
	return binary.BigEndian.AppendUint32([]byte{cryptofmt.TinkStartByte}, k.ID)
}

// Path is where the keys lie.
func (k *Keyset) Path() string { return k.place.File }

// Keys returns the keys of the file as it is now, the oldest first.
func (k *Keyset) Keys(ctx context.Context) ([]Key, error) {
	if err := k.follow(ctx); err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return keysOf(k.handle), nil
}

// primaryOf returns the key that is sealed with.
func primaryOf(keys []Key) Key {
	for _, key := range keys {
		if key.State == Primary {
			return key
		}
	}
	return Key{} // a keyset without one does not open
}
