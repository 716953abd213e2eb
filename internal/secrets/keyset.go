package secrets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	file   fs.FileInfo // the file that the keys were read from
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

// Encrypt seals plain with the newest key, that of another process that has rotated the file included. aad is not stored:
// Decrypt needs the same.
func (k *Keyset) Encrypt(plain, aad []byte) ([]byte, error) {
	if err := k.follow(); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
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
	if loadErr := k.follow(); loadErr != nil {
		return nil, fmt.Errorf("decrypt: %w", errors.Join(err, loadErr))
	}
	if plain, err = k.primitive().Decrypt(sealed, aad); err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return plain, nil
}

// follow reads the file again when it is another one than the keys were read from. One that is gone changes nothing: the
// keys that are known still fit what is stored.
func (k *Keyset) follow() error {
	now, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	k.mu.RLock()
	same := os.SameFile(now, k.file) && now.ModTime().Equal(k.file.ModTime()) && now.Size() == k.file.Size()
	k.mu.RUnlock()
	if same {
		return nil
	}
	return k.load()
}

func (k *Keyset) load() error {
	handle, file, err := read(k.path)
	if err != nil {
		return err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return fmt.Errorf("use keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file, k.handle, k.aead = file, handle, primitive
	return nil
}

func (k *Keyset) primitive() tink.AEAD {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.aead
}
