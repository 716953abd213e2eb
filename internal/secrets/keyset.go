package secrets

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keyset encrypts and decrypts with the keys of a file. Whoever has the file and the database has the secrets: it is
// readable by its owner only, and belongs into a backup of its own. It is safe for concurrent use.
type Keyset struct {
	path string

	mu     sync.RWMutex
	handle *keyset.Handle
	aead   tink.AEAD
}

// OpenKeyset reads the keyset file at path and makes it when it is missing; of several processes that start at once one
// makes it and all use it. A file that others may read is refused.
func OpenKeyset(path string) (*Keyset, error) {
	k := &Keyset{path: path}
	err := k.load()
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(path); err == nil {
			err = k.load()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open keyset %s: %w", path, err)
	}
	return k, nil
}

// Encrypt seals plain with the newest key. aad is not stored: Decrypt needs the same.
func (k *Keyset) Encrypt(plain, aad []byte) ([]byte, error) {
	sealed, err := k.primitive().Encrypt(plain, aad)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return sealed, nil
}

// Decrypt opens what Encrypt sealed with the same aad, under any key of the file: when none that is known fits, the file
// is read again, because another process may have rotated it.
func (k *Keyset) Decrypt(sealed, aad []byte) ([]byte, error) {
	plain, err := k.primitive().Decrypt(sealed, aad)
	if err == nil {
		return plain, nil
	}
	if loadErr := k.load(); loadErr != nil {
		return nil, fmt.Errorf("decrypt: %w", errors.Join(err, loadErr))
	}
	if plain, err = k.primitive().Decrypt(sealed, aad); err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return plain, nil
}

// Rotate adds a new key to the file and encrypts with it from now on. Older keys stay, so that what they sealed can be
// read.
func (k *Keyset) Rotate() error {
	unlock, err := lock(k.path)
	if err != nil {
		return fmt.Errorf("rotate keyset: %w", err)
	}
	defer unlock()
	if err := k.load(); err != nil {
		return fmt.Errorf("rotate keyset: %w", err)
	}
	k.mu.RLock()
	manager := keyset.NewManagerFromHandle(k.handle)
	k.mu.RUnlock()
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("rotate keyset: add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return fmt.Errorf("rotate keyset: choose key: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return fmt.Errorf("rotate keyset: %w", err)
	}
	if err := replace(k.path, handle); err != nil {
		return fmt.Errorf("rotate keyset: %w", err)
	}
	return k.use(handle)
}

func (k *Keyset) load() error {
	handle, err := read(k.path)
	if err != nil {
		return err
	}
	return k.use(handle)
}

func (k *Keyset) use(handle *keyset.Handle) error {
	primitive, err := aead.New(handle)
	if err != nil {
		return fmt.Errorf("use keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.handle, k.aead = handle, primitive
	return nil
}

func (k *Keyset) primitive() tink.AEAD {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.aead
}
