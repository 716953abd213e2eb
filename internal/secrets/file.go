package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/slipway-dev/slipway/internal/privatefile"
)

// read returns the keys of the file. Tink calls them insecure because nothing encrypts them: the file's mode guards them.
func read(path string) (*keyset.Handle, fs.FileInfo, error) {
	data, info, err := privatefile.Read(path)
	if err != nil {
		return nil, nil, err
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, nil, fmt.Errorf("read keys: %w", err)
	}
	return handle, info, nil
}

// create makes the file with a first key, unless another process is quicker.
func create(path string) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	data, err := encode(handle)
	if err != nil {
		return err
	}
	if err := privatefile.Create(path, data); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// replace puts handle in the place of the file at once: a reader sees the old keys or the new ones.
func replace(path string, handle *keyset.Handle) error {
	data, err := encode(handle)
	if err != nil {
		return err
	}
	return privatefile.Replace(path, data)
}

func encode(handle *keyset.Handle) ([]byte, error) {
	var data bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&data)); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return data.Bytes(), nil
}

// lock keeps two processes from changing the same file at once.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	l := flock.New(path + ".lock")
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := privatefile.Adopt(l.Path(), path); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), l.Close())
	}
	return func() { _ = l.Close() }, nil // closing the file is what unlocks it
}
