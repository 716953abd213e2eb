package secrets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
)

// Keyset encrypts and decrypts with the keys of a file. Whoever has the file and the database has the secrets, unless a key of
// KMS wraps the file: it is readable by its owner only, and belongs into a backup of its own. KMS is asked when the file is
// opened and when its keys are others than before, never to encrypt a secret. It is safe for concurrent use.
type Keyset struct {
	place Place

	mu     sync.RWMutex
	file   fs.FileInfo // the file that the keys were read from
	handle *keyset.Handle
	aead   tink.AEAD
}

// OpenKeyset reads the keyset file of a place and makes it when it is missing; of several processes that start at once one
// makes it and all use it. A file that others may read is refused, and one that is not wrapped as the place says.
func OpenKeyset(ctx context.Context, at Place) (*Keyset, error) {
	k := &Keyset{place: at}
	err := k.load(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if err = at.create(ctx); err == nil {
			err = k.load(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open keyset %s: %w", at.File, err)
	}
	return k, nil
}

// Encrypt seals plain with the newest key, that of another process that has rotated the file included. aad is not stored:
// Decrypt needs the same.
func (k *Keyset) Encrypt(plain, aad []byte) ([]byte, error) {
	if err := k.follow(context.Background()); err != nil {
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
	if loadErr := k.follow(context.Background()); loadErr != nil {
		return nil, fmt.Errorf("decrypt: %w", errors.Join(err, loadErr))
	}
	if plain, err = k.primitive().Decrypt(sealed, aad); err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return plain, nil
}

// follow reads the file again when it is another one than the keys were read from. One that is gone changes nothing: the
// keys that are known still fit what is stored. Nor does one with the same keys, such as a copy, or what Wrap and Unwrap make.
func (k *Keyset) follow(ctx context.Context) error {
	now, err := os.Stat(k.place.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	k.mu.RLock()
	same := os.SameFile(now, k.file) && now.ModTime().Equal(k.file.ModTime()) && now.Size() == k.file.Size()
	handle := k.handle
	k.mu.RUnlock()
	if same {
		return nil
	}
	found, file, err := k.place.read()
	if err != nil {
		return err
	}
	if proto.Equal(found.info(), handle.KeysetInfo()) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.file = file
		return nil
	}
	return k.load(ctx)
}

func (k *Keyset) load(ctx context.Context) error {
	found, file, err := k.place.read()
	if err != nil {
		return err
	}
	handle, err := k.place.open(ctx, found)
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
